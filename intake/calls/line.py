"""A telephone line as the workspace file declares it; each provider adds its own secrets."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from crm.contact_points import phone_number
from intake.adapter import SourceSettings

#: What stands before the storage's key of a recording that came with its event.
SENT = "sent:"
Host = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$")]


def _is_zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError(f"'{value}' is no time zone, such as America/Sao_Paulo")
    return value


TimeZone = Annotated[str, AfterValidator(_is_zone)]


class LineSettings(SourceSettings):
    """What every line has. A provider's own settings narrow `provider` to its name."""

    provider: str = Field(description="Whose webhooks it gets")
    numbers: list[str] = Field(default_factory=list, description="Our own numbers on it, in E.164")
    call_back_minutes: int = Field(
        15, ge=1, le=10_000, description="Business minutes to call back a missed call"
    )

    missed_makes_lead: bool = Field(
        False, description="Whether a missed call of a contact with nothing open is a new lead"
    )

    forwarding: list[str] = Field(
        default_factory=list, description="Our own numbers that calls are forwarded from, in E.164"
    )
    recordings: bool = Field(True, description="Whether recordings and messages are fetched and kept")
    recording_days: int = Field(365, ge=1, le=36_500, description="Days that they are kept")
    recording_hosts: list[Host] = Field(
        default_factory=list,
        max_length=20,
        description="Hosts they may be fetched from, beside the provider's",
    )

    @field_validator("numbers", "forwarding")
    @classmethod
    def _in_e164(cls, values: list[str], info: ValidationInfo) -> list[str]:
        # A caller is compared with these: written in any other way, our own number would be a customer.
        return [_e164(value, info) for value in values]


def _e164(value: str, info: ValidationInfo) -> str:
    number = phone_number(value, info.data.get("country") or "ZZ")
    if number is None:
        raise ValueError(f"'{value}' is no number in E.164, such as +551140000000")
    return number
