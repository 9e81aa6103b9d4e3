"""Who calls: the enquiry that a call is, and what of theirs it belongs to."""

from __future__ import annotations

import re

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from crm import identity
from crm.call_view import MISSED
from crm.calls import moment, other_end
from crm.element import Element
from crm.own_numbers import OwnNumbers
from crm.standing import Standing, standing
from crm.submission import Submission
from models.call import Call, CallResult
from models.contact_point import ContactPoint, PointKind
from models.lead import OPEN, Lead, LeadStatus
from models.source import Channel

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_NO_NAMES = frozenset({"anonymous", "private", "restricted", "unavailable", "unknown", "wireless caller"})


def submission_of(call: Call, *, own: OwnNumbers) -> Submission | None:
    """The enquiry that an inbound call is once it has ended; None while it goes on, and for other calls.

    A colleague's call is none. A withheld or a short number is nobody's to be known by: such a caller is an
    enquiry only where nobody answered, to be seen and kept apart from all others. So is one of our own lines,
    which says who forwarded the call and not who called.
    The network's name for the caller (CNAM) is a hint in `extra`: it is the name of who pays the line.
    """
    if call.direction != "inbound" or call.result is None or call.from_number in own.people:
        return None
    caller = call.from_number
    if _number(call, own) is None and call.result is CallResult.ANSWERED and not _is_sip(caller):
        return None
    return _enquiry(call, own, "Missed call" if call.result in MISSED else "Call")


def enquiry_of(call: Call, *, own: OwnNumbers) -> Submission | None:
    """The enquiry that an inbound call is for somebody who takes it; None for a call that is no client's."""
    if call.direction != "inbound" or call.from_number in own.people:
        return None
    return _enquiry(call, own, "Call")


def _enquiry(call: Call, own: OwnNumbers, words: str) -> Submission:
    number, hint = _number(call, own), caller_name(call)
    return Submission(
        channel=Channel.CALL,
        occurred_at=moment(call),
        phones=(number,) if number else (),
        title=f"{words} from {call.from_number or 'a withheld number'}",
        extra={"caller_name": hint} if hint else {},
    )


def _number(call: Call, own: OwnNumbers) -> str | None:
    """The caller's number, where it is one that somebody can be known by."""
    caller = call.from_number
    return caller if caller is not None and _E164.fullmatch(caller) and caller not in own.lines else None


def hold(session: Session, call: Call, *, own: OwnNumbers) -> None:
    """Waits for whoever finds out just now who has the caller's number, before any row of theirs is held.

    It is the order in which every enquiry takes them: two that meet never wait crosswise.
    """
    if (number := _number(call, own)) is not None:
        identity.lock(session, [(PointKind.PHONE, number)])


def caller_name(call: Call) -> str:
    """The network's name for the caller (CNAM), a hint; nothing where it has none."""
    hints = (call.facts[name].get("caller_name") for name in sorted(call.facts))
    return next((hint for hint in hints if hint and _is_name(hint)), "")


def lead_of(session: Session, call: Call, *, own: OwnNumbers) -> Lead | None:
    """The open lead of whoever is at the other end; of a SIP address, the one its last call was about.

    Its row is held until the transaction ends.
    """
    return open_lead(session, other_end(call), own=own, but=call.id, held=True)


def open_lead(
    session: Session, number: str | None, *, own: OwnNumbers, but: int | None = None, held: bool = False
) -> Lead | None:
    """The newest open lead of whoever has this number (see `crm.standing`); of a SIP address, of another
    call than `but`."""
    if (theirs := _theirs(number, own, but)) is None:
        return None
    chosen = theirs.where(Lead.status.in_(OPEN)).order_by(Lead.id.desc()).limit(1)
    return session.scalars(chosen.with_for_update(of=Lead) if held else chosen).first()


def known(session: Session, number: str | None, *, own: OwnNumbers) -> Element | None:
    """What of theirs a call of whoever has this number belongs to: the open lead, else the open deal, else
    the contact, else their last lead. Nothing is held."""
    if (theirs := _theirs(number, own, None)) is None:
        return None
    if (person_id := _person(session, number)) is not None:
        found = standing(session, person_id, lock=False).element
    else:
        found = open_lead(session, number, own=own)
    if found is not None:
        return found
    kept = theirs.where(Lead.status != LeadStatus.MERGED).order_by(Lead.id.desc())
    return session.scalars(kept.limit(1)).first()


def standing_of(session: Session, call: Call, *, own: OwnNumbers) -> Standing:
    """What is open for whoever is at the other end, held until the transaction ends; nothing for a number
    that nobody is known by."""
    return standing_at(session, other_end(call), own=own)


def standing_at(session: Session, number: str | None, *, own: OwnNumbers) -> Standing:
    """What is open for whoever has this number, held until the transaction ends; nothing for a number that
    nobody is known by."""
    if _theirs(number, own, None) is None or (person_id := _person(session, number)) is None:
        return Standing()
    return standing(session, person_id)


def _person(session: Session, number: str | None) -> int | None:
    return session.scalar(
        select(ContactPoint.person_id).where(
            ContactPoint.kind == PointKind.PHONE, ContactPoint.value == number
        )
    )


def _theirs(number: str | None, own: OwnNumbers, but: int | None) -> Select[Lead] | None:
    if number is None or number in own.lines or number in own.people:
        return None
    if _is_sip(number):
        earlier = select(Call.lead_id).where(Call.from_number == number)
        return select(Lead).where(Lead.id.in_(earlier if but is None else earlier.where(Call.id != but)))
    return (
        select(Lead)
        .join(ContactPoint, ContactPoint.person_id == Lead.person_id)
        .where(ContactPoint.kind == PointKind.PHONE, ContactPoint.value == number)
    )


def _is_sip(caller: str | None) -> bool:
    return caller is not None and caller.partition(":")[0].lower() in ("sip", "sips")


def _is_name(hint: str) -> bool:
    letters, digits = sum(c.isalpha() for c in hint), sum(c.isdigit() for c in hint)
    return letters > 1 and letters > digits and hint.strip().lower() not in _NO_NAMES
