"""What only the database knows against an enquiry: a text that many send, a proof that is spent."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import clock
from core.errors import Quarantined
from core.ids import digest
from crm.submission import Submission
from intake.delivery import RELEASED, Delivery
from intake.forms import spam
from intake.forms.settings import FormSettings
from models.form_print import FormPrint

#: Shorter texts are alike by chance.
_SHORTEST = 40
#: So long a text counts as sent lately, and so long a riddle is remembered as solved.
_DAY = timedelta(days=1)
_TEXT, _PROOF = "text", "proof"


def look(
    session: Session, event_id: str, delivery: Delivery, submission: Submission, settings: object
) -> None:
    """Raises Quarantined where something speaks against it; else remembers what it came with."""
    if not isinstance(settings, FormSettings) or delivery.facts.get(RELEASED):
        return
    riddle = delivery.facts.get(spam.PROOF)
    if isinstance(riddle, str) and _known(session, _PROOF, digest(riddle), "", event_id) != event_id:
        raise Quarantined("its proof of work was used before", submission)
    text = " ".join(submission.message.casefold().split())
    most = settings.protection.same_text
    if most and len(text) >= _SHORTEST:
        _same_text(session, event_id, submission, digest(text), most)


def _same_text(session: Session, event_id: str, submission: Submission, text: str, most: int) -> None:
    sender = digest(*(word.casefold() for word in (*submission.emails, *submission.phones)))
    others = session.scalar(
        select(func.count()).where(
            FormPrint.kind == _TEXT,
            FormPrint.digest == text,
            FormPrint.slot != sender,
            FormPrint.at > clock.now() - _DAY,
        )
    )
    if (others or 0) >= most:
        raise Quarantined(f"{others} others have sent the same text within a day", submission)
    _known(session, _TEXT, text, sender, event_id)


def _known(session: Session, kind: str, what: str, slot: str, event_id: str) -> str:
    """Remembers a print, and says which event brought it first."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    row = {"kind": kind, "digest": what, "slot": slot, "event_id": event_id, "at": clock.now()}
    session.execute(dialect.insert(FormPrint).values(row).on_conflict_do_nothing())
    return session.scalars(
        select(FormPrint.event_id).where(
            FormPrint.kind == kind, FormPrint.digest == what, FormPrint.slot == slot
        )
    ).one()


def forget(session: Session) -> None:
    """Deletes what is older than it has to be known."""
    session.execute(delete(FormPrint).where(FormPrint.at < clock.now() - _DAY))
