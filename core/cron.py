"""Times that come again, in the five fields of a crontab: `0 9 * * mon-fri` (crontab(5)).

Reading and counting are APScheduler's, which knows what a clock change does to them.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

from core.errors import Invalid

_FIELDS = ("minute", "hour", "day", "month", "day_of_week")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")


def parse(text: str, zone: ZoneInfo | None = None) -> CronTrigger:
    """The times in a zone (UTC where none is given).

    Raises Invalid for what is no crontab line, with what is wrong with it.
    """
    fields = text.split()
    if len(fields) != 5:
        raise Invalid(f"'{text}' needs minute, hour, day, month and weekday, such as '0 9 * * mon-fri'")
    # The library counts weekdays from Monday, crontab(5) from Sunday; names mean the same to both.
    fields[4] = re.sub(r"(?<!/)\b[0-7]\b", lambda m: _DAYS[int(m[0])], fields[4].lower())
    try:
        return CronTrigger(
            **dict(zip(_FIELDS, fields, strict=True)),
            timezone=zone or ZoneInfo("UTC"),
        )
    except ValueError as error:
        raise Invalid(f"'{text}' is no time that comes again: {error}") from None


def following(text: str, zone: ZoneInfo, after: datetime) -> datetime | None:
    """The first such time later than `after`; None where there is none."""
    found: datetime | None = parse(text, zone).get_next_fire_time(None, after + timedelta(microseconds=1))
    return found
