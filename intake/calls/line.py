"""A telephone line as the workspace file declares it; each provider adds its own secrets."""

from __future__ import annotations

from pydantic import Field, ValidationInfo, field_validator

from crm.contact_points import phone_number
from intake.adapter import SourceSettings


class LineSettings(SourceSettings):
    """What every line has. A provider's own settings narrow `provider` to its name."""

    provider: str = Field(description="Whose webhooks it gets")
    numbers: list[str] = Field(default_factory=list, description="Our own numbers on it, in E.164")
    call_back_minutes: int = Field(
        15, ge=1, le=10_000, description="Business minutes to call back a missed call"
    )

    @field_validator("numbers")
    @classmethod
    def _in_e164(cls, values: list[str], info: ValidationInfo) -> list[str]:
        # A caller is compared with these: written in any other way, our own number would be a customer.
        numbers = [phone_number(value, info.data.get("country") or "ZZ") for value in values]
        for value, number in zip(values, numbers, strict=True):
            if number is None:
                raise ValueError(f"'{value}' is no number in E.164, such as +551140000000")
        return [number for number in numbers if number]
