"""Calls as rows: one out of its provider's events, whose it is, and its place on the lead's timeline."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from core import clock
from crm import call_orders, timeline
from crm.call_view import MISSED, CallView, derive, remember
from crm.contact_points import phone_number
from crm.own_numbers import OwnNumbers
from crm.submission import CallUpdate, Submission
from models.call import Call, CallResult
from models.contact_point import ContactPoint, PointKind
from models.lead import OPEN, Lead, LeadStatus
from models.source import Channel, Source
from models.user import User

_DIALLED = re.compile(r"[+0-9 ().-]{2,40}")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_NO_NAMES = frozenset({"anonymous", "private", "restricted", "unavailable", "unknown", "wireless caller"})


@dataclass(frozen=True, slots=True)
class Merged:
    """The call after one more event, and what this event changed.

    `started`: the first event of the call. `ended`: only now are its result and its direction known.
    `changed_result`: what stood before is taken back, such as answered by missed; another way of missing
    takes nothing back. `before` is the result that stood, `words` whether more of what was said is known now.
    """

    call: Call
    started: bool
    ended: bool
    changed_result: bool
    before: CallResult | None = None
    words: bool = False

    @property
    def missed(self) -> bool:
        """Whether this event tells that somebody called us and reached nobody; once told it is no news."""
        news = self.ended or self.changed_result
        return news and self.call.direction == "inbound" and self.call.result in MISSED

    @property
    def transcribed(self) -> bool:
        """Whether a call is over and its words are known, and one or the other is news."""
        over = self.call.result is not None
        return over and self.call.transcript is not None and (self.words or self.ended)

    @property
    def answered(self) -> bool:
        """Whether people have talked."""
        return self.call.result is CallResult.ANSWERED


def merge(session: Session, update: CallUpdate, *, source: Source, provider: str, country: str) -> Merged:
    """Finds or makes the call and adds what the event says. Numbers are read as in `country`.

    Two transactions with an event of the same call wait for each other here.
    """
    if session.get_bind().dialect.name == "postgresql":
        key = f"call:{source.id}:{update.call_id}"
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))
    call = call_orders.found(session, source, update)
    started = call is None
    if call is None:
        call = Call(
            source_id=source.id,
            source=source,
            provider=provider,
            group_id=update.call_id,
            facts={},
            created_at=clock.now(),
        )
        session.add(call)
    before, transcript = call.result if call.direction else None, call.transcript
    call.facts = remember(call.facts, update)
    call.heard_at = clock.now()
    _tell(session, call, derive(call.facts), country)
    session.flush()
    return Merged(
        call,
        started=started,
        ended=before is None and call.result is not None and call.direction is not None,
        changed_result=before is not None and _outcome(before) != _outcome(call.result),
        before=before,
        words=call.transcript is not None and call.transcript != transcript,
    )


def _tell(session: Session, call: Call, view: CallView, country: str) -> None:
    for name, value in asdict(view).items():
        if name not in ("known_as", "recording_id"):
            setattr(call, name, value)
    call.provider_call_id = view.known_as or call.group_id
    call.from_number = e164(view.from_number, country)
    call.to_number = e164(view.to_number, country)
    if view.answered_by is not None and call.user_id is None:
        call.user_id = _user_named(session, view.answered_by, country)


def _user_named(session: Session, name: str, country: str) -> int | None:
    """The user whom a provider names by an address, an extension, a number or, if only one has it, a name."""
    found = session.scalars(
        select(User.id)
        .where(
            User.active,
            or_(
                func.lower(User.email) == name.lower(),
                User.extension == name,
                User.phone == e164(name, country),
                User.name == name,
            ),
        )
        .limit(2)
    ).all()
    return found[0] if len(found) == 1 else None


def _outcome(result: CallResult | None) -> CallResult | None:
    return CallResult.MISSED if result in MISSED else result


def e164(raw: str | None, country: str) -> str | None:
    """In E.164 where it is a telephone number, also as a SIP address's user; else as it came."""
    if raw is None:
        return None
    scheme, _, rest = raw.partition(":")
    user = rest.partition("@")[0] if scheme.lower() in ("sip", "sips") else ""
    dialled = user if user.startswith("+") else raw
    return (phone_number(dialled, country) if _DIALLED.fullmatch(dialled) else None) or raw


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
    known = caller if caller is not None and _E164.fullmatch(caller) and caller not in own.lines else None
    if known is None and call.result is CallResult.ANSWERED and not _is_sip(caller):
        return None
    words = "Missed call" if call.result in MISSED else "Call"
    hints = (call.facts[name].get("caller_name") for name in sorted(call.facts))
    hint = next((hint for hint in hints if hint and _is_name(hint)), None)
    return Submission(
        channel=Channel.CALL,
        occurred_at=moment(call),
        phones=(known,) if known else (),
        title=f"{words} from {caller or 'a withheld number'}",
        extra={"caller_name": hint} if hint else {},
    )


def moment(call: Call) -> datetime:
    """When the call was, never in the future: a provider's clock may be wrong."""
    return min(call.ended_at or call.started_at or call.created_at, clock.now())


def other_end(call: Call) -> str | None:
    """The number of the client, whoever called whom."""
    return call.from_number if call.direction == "inbound" else call.to_number


def lead_of(session: Session, call: Call, *, own: OwnNumbers) -> Lead | None:
    """The open lead of whoever is at the other end; of a SIP address, the one its last call was about.

    Its row is held until the transaction ends.
    """
    return open_lead(session, other_end(call), own=own, but=call.id, held=True)


def open_lead(
    session: Session, number: str | None, *, own: OwnNumbers, but: int | None = None, held: bool = False
) -> Lead | None:
    """The open lead of whoever has this number; of a SIP address, of another call than `but`."""
    if (theirs := _theirs(number, own, but)) is None:
        return None
    chosen = theirs.where(Lead.status.in_(OPEN)).order_by(Lead.id).limit(1)
    return session.scalars(chosen.with_for_update(of=Lead) if held else chosen).first()


def last_lead(session: Session, number: str | None, *, own: OwnNumbers) -> Lead | None:
    """The latest lead of whoever has this number, open or not, that somebody has."""
    if (theirs := _theirs(number, own, None)) is None:
        return None
    owned = theirs.where(Lead.owner_id.is_not(None), Lead.status != LeadStatus.MERGED)
    return session.scalars(owned.order_by(Lead.id.desc()).limit(1)).first()


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


def tell_rung(session: Session, call: Call, lead: Lead, *, event_id: str) -> None:
    """Puts on the lead's timeline whom the caller was put through to, and why."""
    to = call.rung_user.name if call.rung_user else call.rung_number or ""
    timeline.record(
        session,
        lead,
        kind="put_through",
        summary=f"Put through to {to}: {call.rung_why}",
        data={"call": call.id, "user": call.rung_user_id, "number": call.rung_number},
        event_id=event_id,
        at=call.rung_at,
    )


def tell(session: Session, call: Call, lead: Lead, *, event_id: str) -> None:
    """Puts the call, as it stands now, on the lead's timeline."""
    if call.result is None:
        return
    outbound = call.direction == "outbound"
    words = {CallResult.ANSWERED: f"Call answered, {call.talk_seconds or 0} s"}.get(
        call.result, f"Call {call.result.value}"
    )
    if outbound:
        words = words.replace("Call", "Outgoing call", 1).replace("missed", "not answered")
    if call.closed_reason:
        words += f" ({call.closed_reason})"
    timeline.record(
        session,
        lead,
        kind="call",
        summary=f"{words}: {other_end(call) or 'withheld number'}",
        data={"call": call.id, "result": call.result.value, "talk_seconds": call.talk_seconds},
        event_id=event_id,
        at=moment(call),
    )
