"""A telephone line as the workspace file declares it; each provider adds its own secrets."""

from __future__ import annotations

from pydantic import Field

from intake.adapter import SourceSettings


class LineSettings(SourceSettings):
    """What every line has."""

    provider: str = Field(description="Whose webhooks it gets")
    numbers: list[str] = Field(default_factory=list, description="Our own numbers on it, in E.164")
    call_back_minutes: int = Field(
        15, ge=1, le=10_000, description="Business minutes to call back a missed call"
    )
