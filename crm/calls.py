"""Calls as rows: one out of its provider's events, whose it is, and its place on the lead's timeline."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from core import clock
from crm import call_orders, timeline
from crm.call_view import MISSED, CallView, derive, remember
from crm.contact_points import phone_number
from crm.element import Element, place_of
from crm.submission import CallUpdate
from models.call import Call, CallResult
from models.source import Source
from models.user import User

_DIALLED = re.compile(r"[+0-9 ().-]{2,40}")


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
    _wait(session, source.id, update.call_id)
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
    before, transcript, direction = call.result if call.direction else None, call.transcript, call.direction
    call.facts = remember(call.facts, update)
    call.heard_at = clock.now()
    _tell(session, call, derive(call.facts), country)
    session.flush()
    if direction is not None and call.direction != direction:
        before = None  # what was taken for a call of ours was a telephone rung for the caller, or the reverse
    return Merged(
        call,
        started=started,
        ended=before is None and call.result is not None and call.direction is not None,
        changed_result=before is not None and _outcome(before) != _outcome(call.result),
        before=before,
        words=call.transcript is not None and call.transcript != transcript,
    )


def held(session: Session, call: Call) -> Call:
    """The call as it stands once nobody else adds to it, until the transaction ends."""
    _wait(session, call.source_id, call.group_id)
    chosen = select(Call).where(Call.id == call.id)
    return session.scalars(chosen.execution_options(populate_existing=True)).one()


def _wait(session: Session, source_id: int, group_id: str) -> None:
    if session.get_bind().dialect.name == "postgresql":
        key = f"call:{source_id}:{group_id}"
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))


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


def moment(call: Call) -> datetime:
    """When the call was, never in the future: a provider's clock may be wrong."""
    return min(call.ended_at or call.started_at or call.created_at, clock.now())


def other_end(call: Call) -> str | None:
    """The number of the client, whoever called whom."""
    return call.from_number if call.direction == "inbound" else call.to_number


def tell_rung(session: Session, call: Call, element: Element, *, event_id: str) -> None:
    """Puts on the element's timeline whom the caller was put through to, and why."""
    to = call.rung_user.name if call.rung_user else call.rung_number or ""
    timeline.record(
        session,
        element,
        kind="put_through",
        summary=f"Put through to {to}: {call.rung_why}",
        data={"call": call.id, "user": call.rung_user_id, "number": call.rung_number},
        event_id=event_id,
        at=call.rung_at,
    )


def place(call: Call, element: Element) -> None:
    """Says whose call it is; what is known of that already stays."""
    found = place_of(element)
    call.lead_id, call.deal_id = found.lead_id or call.lead_id, found.deal_id or call.deal_id
    call.contact_id = found.contact_id or call.contact_id
    call.company_id = found.company_id or call.company_id


def tell(session: Session, call: Call, element: Element, *, event_id: str) -> None:
    """Puts the call, as it stands now, on the element's timeline, whose it is from now on."""
    place(call, element)
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
        element,
        kind="call",
        summary=f"{words}: {other_end(call) or 'withheld number'}",
        data={"call": call.id, "result": call.result.value, "talk_seconds": call.talk_seconds},
        event_id=event_id,
        at=moment(call),
    )
