"""What time it is where somebody is."""

from __future__ import annotations

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from phonenumbers import timezone

from crm.workspace import WorkspaceSettings


def zone_of(phone: str | None, workspace: WorkspaceSettings) -> ZoneInfo:
    """The time zone of a telephone number; the workspace's where that does not say it."""
    if phone:
        try:
            found = timezone.time_zones_for_number(phonenumbers.parse(phone))
            zones = {ZoneInfo(name) for name in found if name != timezone.UNKNOWN_TIMEZONE}
        except (phonenumbers.NumberParseException, ZoneInfoNotFoundError, ValueError):
            return workspace.zone
        if len(zones) == 1:
            return zones.pop()
    return workspace.zone
