"""Plans an activity for the owner of the lead, deal or contact."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Self

from pydantic import Field, field_validator, model_validator
from sqlalchemy import func, select

from core.errors import Invalid
from crm import activities, recurrence
from crm.activity_parts import Details, Participant
from models.user import User
from rules import due, duration, template
from rules.letter import one_line
from rules.outlook import Outlook
from rules.recipient import address_of, check_recipient
from rules.step import ImmediateStep, Known, Result, StepContext, StepSettings
from rules.vocabulary import CHOICES, nearest

_LONGEST_NOTE = 20_000
#: Sixty days, as at the API.
_LONGEST_MINUTES = 60 * 24 * 60


class ScheduleSettings(StepSettings):
    """`schedule: {type: call, subject: …, due: 15 business minutes, calendar: office}`; and more."""

    type: str = Field("task", description="call, meeting, task, email, or one of your own")
    subject: str = Field(description="What is to be done; may name fields of the lead")
    due: str = Field(description="When, counted from now: 15 business minutes, 2 hours, 1 business day")
    calendar: str | None = Field(None, description="Whose business time; the workspace's first if left out")
    duration: str | None = Field(None, description="How long it takes: 30 minutes, 1 hour")
    place: str = Field("", description="Where; may name fields")
    note: str = Field("", description="What else is to be known; may name fields")
    participants: list[str] = Field(
        default_factory=list,
        max_length=50,
        description="Who takes part: lead (the person it is about), owner, team.lead, or an e-mail address",
    )
    invite: bool = Field(False, description="Whether who takes part is invited by mail")
    reminders: list[str] = Field(
        default_factory=list, max_length=10, description="How long before its time: 15 minutes, 1 day"
    )
    recurrence: str | None = Field(
        None, description="When it comes again: RRULE (RFC 5545), such as FREQ=WEEKLY;BYDAY=MO"
    )

    @field_validator("due")
    @classmethod
    def _readable(cls, value: str) -> str:
        return _said(duration.parse, value)

    @field_validator("duration")
    @classmethod
    def _lasting(cls, value: str | None) -> str | None:
        return value if value is None else _said(_lasts, value)

    @field_validator("reminders")
    @classmethod
    def _before(cls, value: list[str]) -> list[str]:
        return [_said(_ahead, each) for each in value]

    @field_validator("recurrence")
    @classmethod
    def _again(cls, value: str | None) -> str | None:
        return value if value is None else _said(recurrence.read, value)

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if self.invite and not self.participants:
            raise ValueError("'invite' needs participants")
        return self


class Schedule(ImmediateStep[ScheduleSettings]):
    """Business time is counted by `rules.calendar`."""

    name = "schedule"
    label = "Plan an activity"
    settings = ScheduleSettings

    def check(self, settings: ScheduleSettings, known: Known) -> None:
        """The calendar must be there, and be named where it is needed."""
        for text in (settings.subject, settings.place, settings.note):
            template.check(text, known.variables)
        for one in settings.participants:
            check_recipient(one, known)
        there = (*CHOICES["activity.type"], *known.words.get("activity.type", ()))
        if settings.type not in there:
            raise Invalid(f"there is no kind of activity '{settings.type}'{nearest(settings.type, there)}")
        due.check(settings.due, settings.calendar, known)

    def summary(self, settings: ScheduleSettings) -> str:
        """What and when."""
        return f"Plan a {settings.type} in {settings.due}"

    def run(self, context: StepContext, settings: ScheduleSettings) -> Result:
        """Plans it, once for each effect key."""
        due_at = due.moment(context, settings.due, settings.calendar)
        activity = activities.plan(
            context.session,
            context.subject,
            type=settings.type,
            subject=template.render(settings.subject, context.facts).strip()[:500],
            due_at=due_at,
            actor=context.actor,
            effect_key=context.effect_key,
            details=Details(
                note=template.render(settings.note, context.facts).strip()[:_LONGEST_NOTE],
                place=one_line(template.render(settings.place, context.facts)),
                minutes=_lasts(settings.duration) if settings.duration is not None else None,
                reminders=tuple(_ahead(each) for each in settings.reminders),
                participants=tuple(dict.fromkeys(_participants(context, settings.participants))),
                recurrence=settings.recurrence,
                invites=settings.invite,
            ),
        )
        return Result(
            f"{settings.type.capitalize()} planned for {due_at:%Y-%m-%d %H:%M} UTC: {activity.subject}"
        )

    def foresee(self, settings: ScheduleSettings, outlook: Outlook, facts: Mapping[str, Any]) -> None:
        """The same on plain values."""
        outlook.activities += 1


def _participants(context: StepContext, wanted: Sequence[str]) -> Iterator[Participant]:
    """Who takes part; a role that nobody fills, or who has no address, is left out."""
    for one in wanted:
        if one == "lead" and context.contact is not None:
            yield Participant(contact_id=context.contact.id)
            continue
        address = address_of(context, one)
        if address is None:
            continue
        user_id = context.session.scalar(
            select(User.id).where(func.lower(User.email) == address.lower(), User.active)
        )
        name = context.came_from.name if one == "lead" and context.came_from is not None else ""
        yield Participant(user_id=user_id) if user_id is not None else Participant(email=address, name=name)


def _said(read: Callable[[str], object], value: str) -> str:
    """The text as it is, for pydantic, once it was read."""
    try:
        read(value)
    except Invalid as error:
        raise ValueError(str(error)) from None
    return value


def _lasts(text: str) -> int:
    minutes = _minutes(text)
    if not 1 <= minutes <= _LONGEST_MINUTES // 2:
        raise Invalid(f"'{text}' is not from a minute to 30 days")
    return minutes


def _ahead(text: str) -> int:
    minutes = _minutes(text)
    if minutes > _LONGEST_MINUTES:
        raise Invalid(f"'{text}' is longer than 60 days")
    return minutes


def _minutes(text: str) -> int:
    found = duration.parse(text)
    if found.business or found.length.seconds % 60:
        raise Invalid(f"'{text}' is no number of minutes, hours or days on the clock")
    return found.length // timedelta(minutes=1)
