"""What time it is where a lead is."""

from __future__ import annotations

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from phonenumbers import timezone

from crm.workspace import WorkspaceSettings
from models.lead import Lead


def zone_of(lead: Lead, workspace: WorkspaceSettings) -> ZoneInfo:
    """The time zone of the lead's telephone number; the workspace's where that does not say it."""
    if lead.phone:
        try:
            found = timezone.time_zones_for_number(phonenumbers.parse(lead.phone))
            zones = {ZoneInfo(name) for name in found if name != timezone.UNKNOWN_TIMEZONE}
        except (phonenumbers.NumberParseException, ZoneInfoNotFoundError, ValueError):
            return workspace.zone
        if len(zones) == 1:
            return zones.pop()
    return workspace.zone
