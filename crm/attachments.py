"""Files of a lead: told of on its timeline, their content in the storage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from models.attachment import Attachment
from models.lead import Lead


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


def attach(session: Session, lead: Lead, files: Sequence[KeptFile], *, event_id: str) -> None:
    """Adds the files of one event to a lead."""
    session.add_all(
        Attachment(
            lead_id=lead.id,
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


def of_lead(session: Session, lead_id: int) -> Sequence[Attachment]:
    """The lead's files, oldest first."""
    chosen = select(Attachment).where(Attachment.lead_id == lead_id).order_by(Attachment.id).limit(500)
    return session.scalars(chosen).all()


def of_event(session: Session, event_id: str) -> Sequence[Attachment]:
    """The files that came, or go out, together."""
    chosen = select(Attachment).where(Attachment.event_id == event_id).order_by(Attachment.position)
    return session.scalars(chosen.limit(500)).all()
