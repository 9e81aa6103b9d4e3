"""An activity as it is told, and what may be said of one."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from sqlalchemy.orm import joinedload, selectinload

from api.body import Line, Text
from api.elements import Body
from api.parameters import Instant, RowId
from api.users import Owner
from models.activity import Activity as ActivityRow
from models.activity import ActivityParticipant, ActivityState, ParticipantAnswer

SHOWN = (
    joinedload(ActivityRow.owner),
    selectinload(ActivityRow.participants).joinedload(ActivityParticipant.user),
    selectinload(ActivityRow.participants).joinedload(ActivityParticipant.contact),
    selectinload(ActivityRow.reminders),
)


def _in_our_time(at: datetime) -> datetime:
    if not 2000 <= at.year <= 2100:
        raise ValueError("is in no year from 2000 to 2100")
    return at


Due = Annotated[Instant, AfterValidator(_in_our_time)]
Minutes = Annotated[int, Field(ge=0, le=60 * 24 * 60)]


class Participant(BaseModel):
    """Somebody who takes part: a user, a contact, or whoever has an address; one of these three."""

    model_config = ConfigDict(extra="forbid")

    user: Line | None = Field(None, description="E-mail address of one of us")
    contact_id: RowId | None = None
    email: Line | None = Field(None, description="Of somebody else")
    name: Line | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(v is not None for v in (self.user, self.contact_id, self.email)) != 1:
            raise ValueError("one of user, contact_id and email is needed")
        return self


class TakesPart(Participant):
    """Somebody who takes part, and what they said to their invitation."""

    answer: ParticipantAnswer | None = Field(None, description="To the invitation as it stands")
    answered_at: datetime | None = None

    @classmethod
    def of(cls, row: ActivityParticipant) -> Self:
        """Who takes part, as it is told."""
        said = {"answer": row.answer, "answered_at": row.answered_at}
        if row.user is not None:
            return cls(user=row.user.email, name=row.user.name, **said)
        if row.contact is not None:
            return cls(contact_id=row.contact_id, name=row.contact.name or None, **said)
        return cls(email=row.email, name=row.name or None, **said)


class Activity(BaseModel):
    """A call, meeting, task or e-mail that somebody is to do."""

    id: int
    type: str
    subject: str
    due_at: datetime
    duration_minutes: int | None
    place: str
    note: str
    owner: Owner | None
    state: ActivityState
    outcome: str | None
    result: str = Field(description="What came of it, in words")
    urgency: int
    lead_id: int | None
    deal_id: int | None
    contact_id: int | None
    company_id: int | None
    participants: list[TakesPart]
    reminders: list[int] = Field(description="Minutes before its time")
    recurrence: str | None = Field(description="RRULE (RFC 5545); doing it plans the next one")
    series_id: int | None = Field(description="The first of the series")
    invite: bool = Field(description="Whether who takes part is invited by mail")
    created_at: datetime
    done_at: datetime | None

    @classmethod
    def of(cls, row: ActivityRow) -> Self:
        """An activity as it is told."""
        return cls(
            id=row.id,
            type=row.type,
            subject=row.subject,
            due_at=row.due_at,
            duration_minutes=row.minutes,
            place=row.place,
            note=row.note,
            owner=Owner.of(row.owner),
            state=row.state,
            outcome=row.outcome,
            result=row.result,
            urgency=row.urgency,
            lead_id=row.lead_id,
            deal_id=row.deal_id,
            contact_id=row.contact_id,
            company_id=row.company_id,
            participants=[TakesPart.of(p) for p in row.participants],
            reminders=sorted(r.minutes for r in row.reminders),
            recurrence=row.recurrence,
            series_id=row.series_id,
            invite=row.invites,
            created_at=row.created_at,
            done_at=row.done_at,
        )


class Said(Body):
    """What may be said of an activity beyond what it is and when."""

    duration_minutes: int | None = Field(None, ge=1, le=60 * 24 * 30)
    place: Line | None = Field(None, max_length=500)
    note: Text | None = Field(None, max_length=20_000)
    owner: Line | None = Field(None, description="E-mail address of a user")
    participants: list[Participant] | None = Field(None, max_length=50)
    reminders: list[Minutes] | None = Field(None, max_length=10, description="Minutes before its time")
    recurrence: Line | None = Field(
        None, max_length=500, description="RRULE (RFC 5545), such as FREQ=WEEKLY;BYDAY=MO"
    )
    invite: bool | None = Field(None, description="Whether who takes part is invited by mail")


class ActivityChange(Said):
    """What is to be set on a planned activity."""

    type: Line | None = Field(None, min_length=1, max_length=100)
    subject: Line | None = Field(None, min_length=1, max_length=500)
    due_at: Due | None = None


class NextStep(Said):
    """What is to be done next, and when."""

    type: Line = Field("task", max_length=100, description="call, meeting, task, email, or one of your own")
    subject: Line = Field(min_length=1, max_length=500)
    due_at: Due


class NewActivity(NextStep):
    """What is to be done, on which elements; it may hang on several at once."""

    lead_id: RowId | None = None
    deal_id: RowId | None = None
    contact_id: RowId | None = None
    company_id: RowId | None = None


class Outcome(Body):
    """What came of an activity, and what is to be done next."""

    outcome: Text = Field("", max_length=500, description="One of its type's outcomes, where it has some")
    result: Text = Field("", max_length=20_000, description="In words")
    next: NextStep | None = Field(None, description="Planned on the same elements, in one go")
    whole_series: bool = Field(False, description="Whether a series ends with it")


class Ended(Activity):
    """An activity that is over, and what is next."""

    next_step_wanted: bool = Field(
        description="Whether nothing is planned any more on a lead or deal that is open: ask for a next step"
    )
    next_id: int | None = Field(description="The planned activity that is due first, where there is one")
