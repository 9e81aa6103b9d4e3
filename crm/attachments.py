"""Files of a lead, a deal or a contact: told of on its timeline, their content in the storage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from core import clock, queue
from core.errors import Conflict
from crm.submission import LeftFile
from models.attachment import Attachment
from models.contact import Contact
from models.deal import Deal
from models.lead import Lead

#: A file that was left on the mail server is fetched up to this size, in bytes as it is encoded.
LARGEST_LEFT = 70_000_000
#: What files hang on.
Holder = Lead | Deal | Contact
_LEFT = "left on the mail server"


@dataclass(frozen=True, slots=True)
class KeptFile:
    """What is known of a file. `place` is its key in the storage, empty where it was `refused`."""

    position: int
    name: str
    kind: str
    size: int
    digest: str
    place: str
    refused: str = ""


def attach(session: Session, element: Holder, files: Sequence[KeptFile], *, event_id: str) -> None:
    """Adds the files of one event to what it is about."""
    session.add_all(
        Attachment(
            **_place(element),
            event_id=event_id,
            position=file.position,
            name=file.name,
            kind=file.kind,
            size=file.size,
            digest=file.digest,
            place=file.place,
            refused=file.refused,
            created_at=clock.now(),
        )
        for file in files
    )


def leave(session: Session, element: Holder, left: Sequence[LeftFile], *, event_id: str, first: int) -> None:
    """Notes the files of one event that stayed on the mail server; `first` is the first free position."""
    for position, file in enumerate(left, first):
        too_large = file.size > LARGEST_LEFT
        session.add(
            Attachment(
                **_place(element),
                event_id=event_id,
                position=position,
                name=file.name or file.content_type,
                kind=file.content_type[:100],
                size=file.size,
                digest="",
                place="",
                refused=f"{_LEFT}, and too large to be fetched" if too_large else _LEFT,
                left=None if too_large else dict(file.place),
                created_at=clock.now(),
            )
        )


def _place(element: Holder) -> dict[str, int]:
    return {{Lead: "lead_id", Deal: "deal_id", Contact: "contact_id"}[type(element)]: element.id}


def ask(session: Session, row: Attachment) -> None:
    """Has a file fetched that was left on the mail server; asked twice it is fetched once.

    Raises Conflict where there is nothing to fetch.
    """
    if row.place:
        return
    if row.left is None:
        raise Conflict(f"this file cannot be fetched: {row.refused or 'it was not left anywhere'}")
    if row.fetch_at is None:
        row.fetch_at, row.fetch_tries, row.refused = clock.now(), 0, f"{_LEFT}, being fetched"
        queue.wake(session, queue.FETCH_FILE, row.id)


def of_lead(session: Session, lead_id: int) -> Sequence[Attachment]:
    """The lead's files, oldest first."""
    return _of(session, Attachment.lead_id == lead_id)


def of_element(session: Session, element: Holder) -> Sequence[Attachment]:
    """What hangs on the lead, the deal or the contact, oldest first."""
    (column,) = _place(element)
    return _of(session, getattr(Attachment, column) == element.id)


def _of(session: Session, theirs: ColumnElement[bool]) -> Sequence[Attachment]:
    return session.scalars(select(Attachment).where(theirs).order_by(Attachment.id).limit(500)).all()


def of_event(session: Session, event_id: str) -> Sequence[Attachment]:
    """The files that came, or go out, together."""
    chosen = select(Attachment).where(Attachment.event_id == event_id).order_by(Attachment.position)
    return session.scalars(chosen.limit(500)).all()
