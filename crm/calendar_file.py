"""Activities as a calendar's events (RFC 5545): for a feed, and for invitations (RFC 5546)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from icalendar import Alarm, Calendar, Event, vCalAddress, vRecur, vText

from core.settings import settings
from crm import recurrence
from crm.workspace import WorkspaceSettings
from models.activity import Activity, ActivityState

Method = Literal["REQUEST", "CANCEL"]
#: How long one lasts of which nobody has said it.
_USUAL = timedelta(minutes=30)
_LONGEST = 5000


@dataclass(frozen=True, slots=True)
class Somebody:
    """Who organises or takes part: an address, and a name."""

    email: str
    name: str = ""


def invitation(
    activity: Activity, method: Method, *, here: WorkspaceSettings, host: Somebody, guests: Sequence[Somebody]
) -> str:
    """The calendar that a mail of this method carries."""
    event = _event(activity, here)
    event.add("organizer", _address(host))
    for guest in guests:
        address = _address(guest)
        address.params["ROLE"] = vText("REQ-PARTICIPANT")
        address.params["PARTSTAT"] = vText("NEEDS-ACTION")
        address.params["RSVP"] = vText("TRUE")
        event.add("attendee", address)
    if method == "CANCEL":
        event["STATUS"] = vText("CANCELLED")
    calendar = _calendar(here)
    calendar.add("method", method)
    calendar.add_component(event)
    return _written(calendar)


def answered_at(invitation: str, address: str) -> str:
    """The invitation with this address as its organizer's, whose name it keeps: calendar programs send their
    answers there, and trust a mail more whose sender is the organizer."""
    calendar = Calendar.from_ical(invitation)
    for event in calendar.walk("VEVENT"):
        stood = event["ORGANIZER"]
        organizer = vCalAddress(f"mailto:{address}")
        organizer.params.update(stood.params)
        event["ORGANIZER"] = organizer
    written: bytes = calendar.to_ical()
    return written.decode()


def feed(activities: Iterable[Activity], *, here: WorkspaceSettings, name: str) -> str:
    """A calendar of these activities, with their reminders; one that comes again with its rule."""
    calendar = _calendar(here)
    calendar.add("x-wr-calname", name)
    calendar.add("x-wr-timezone", here.timezone)
    calendar.add("refresh-interval", timedelta(minutes=15), parameters={"VALUE": "DURATION"})
    for activity in activities:
        event = _event(activity, here)
        for reminder in activity.reminders:
            alarm = Alarm()
            alarm.add("action", "DISPLAY")
            alarm.add("description", activity.subject)
            alarm.add("trigger", -timedelta(minutes=reminder.minutes))
            event.add_component(alarm)
        if activity.recurrence is not None and activity.state is ActivityState.PLANNED:
            event.add("rrule", vRecur.from_ical(_rule(activity)))
        calendar.add_component(event)
    return _written(calendar)


def uid(activity: Activity) -> str:
    """By what calendars know the activity, however often it changes."""
    return f"activity-{activity.id}@{urlsplit(settings().address).hostname or 'localhost'}"


def activity_of(known_by: str) -> int | None:
    """The number of the activity that calendars know by this; None for what is none of ours."""
    number, _, rest = known_by.removeprefix("activity-").partition("@")
    ours = known_by.startswith("activity-") and rest and number.isascii() and number.isdigit()
    return int(number) if ours and len(number) < 19 else None


def _calendar(here: WorkspaceSettings) -> Calendar:
    calendar = Calendar()
    calendar.add("prodid", "-//Portaria//Portaria//EN")
    calendar.add("version", "2.0")
    return calendar


def _event(activity: Activity, here: WorkspaceSettings) -> Event:
    zone = ZoneInfo(activity.zone or here.timezone)
    begins = activity.due_at.replace(microsecond=0)
    changed = (activity.updated_at or activity.created_at).replace(microsecond=0)
    event = Event()
    event.add("uid", uid(activity))
    event.add("dtstamp", changed)
    event.add("last-modified", changed)
    event.add("sequence", activity.sequence)
    event.add("dtstart", _there(begins, zone))
    lasts = timedelta(minutes=activity.minutes) if activity.minutes is not None else _USUAL
    event.add("dtend", _there(begins + lasts, zone))
    event.add("summary", _plain(activity.subject))
    if activity.place:
        event.add("location", _plain(activity.place))
    told = "\n".join(t for t in (activity.note, activity.result) if t)
    if told:
        event.add("description", _plain(told))
    event.add("categories", [activity.type])
    status = "CANCELLED" if activity.state is ActivityState.CANCELLED else "CONFIRMED"
    event.add("status", status)
    if activity.lead_id is not None:
        event.add("url", f"{settings().address}/leads/{activity.lead_id}")
    return event


def _there(at: datetime, zone: ZoneInfo) -> datetime:
    # UTC itself needs no description of a zone.
    return at if zone.key == "UTC" else at.astimezone(zone)


def _rule(activity: Activity) -> str:
    return recurrence.from_here(
        activity.recurrence or "",
        start=activity.series_start or activity.due_at,
        zone=ZoneInfo(activity.zone or "UTC"),
        slot=activity.slot_at or activity.due_at,
    )


def _address(somebody: Somebody) -> vCalAddress:
    address = vCalAddress(f"mailto:{somebody.email}")
    if somebody.name:
        address.params["CN"] = vText(_plain(somebody.name).replace('"', "'"))
    return address


def _plain(text: str) -> str:
    """Without characters that a calendar cannot hold."""
    return "".join(c for c in text[:_LONGEST] if c >= " " or c in "\n\t").replace("\x7f", "")


def _written(calendar: Calendar) -> str:
    calendar.add_missing_timezones()
    written: bytes = calendar.to_ical()
    return written.decode()
