"""What is shown of an enquiry that is kept apart: whoever looks through many need not read them whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, undefer

from crm.submission import Submission
from intake import pipeline
from models.inbound import InboundEvent

#: The fact of an event that was kept apart by a worker.
HELD = "held"
_LONGEST, _LONGEST_VALUE, _MOST_FIELDS = 2000, 300, 20
#: What has not been summed up, as it was kept apart at the door, is read whole up to so many bytes.
_READ = 64 * 1024


@dataclass(frozen=True, slots=True)
class Summary:
    """Who asks for what, in short."""

    name: str = ""
    title: str = ""
    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    message: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)


def told(submission: Submission) -> dict[str, Any]:
    """As an event keeps it."""
    found = summed_up(submission)
    return {name: getattr(found, name) for name in found.__slots__}


def summed_up(submission: Submission) -> Summary:
    """The same, cut to what fits on a list."""
    fields = list(submission.fields.items())[:_MOST_FIELDS]
    return Summary(
        name=submission.name[:_LONGEST_VALUE],
        title=submission.title[:_LONGEST_VALUE],
        emails=tuple(address[:_LONGEST_VALUE] for address in submission.emails[:3]),
        phones=tuple(number[:_LONGEST_VALUE] for number in submission.phones[:3]),
        message=submission.message[:_LONGEST],
        fields={str(key)[:_LONGEST_VALUE]: str(value)[:_LONGEST_VALUE] for key, value in fields},
    )


def of(session: Session, event: InboundEvent) -> Summary | None:
    """What is told of it; None where that cannot be told without reading all of something large."""
    kept = event.envelope["facts"].get(HELD)
    if isinstance(kept, Mapping):
        lists = {name: tuple(kept[name]) for name in ("emails", "phones")}
        return Summary(**{**kept, **lists})
    size = session.scalar(select(func.length(InboundEvent.body)).where(InboundEvent.id == event.id))
    if size is None or size > _READ:
        return None
    whole = session.get_one(InboundEvent, event.id, options=[undefer(InboundEvent.body)])
    found = pipeline.preview(session, whole)
    return summed_up(found) if found is not None else None
