"""One call out of its provider's events, in whatever order and how often they come.

Each event's words are kept under its own name; everything else of the call is derived from all of
them together, so that the order of arrival cannot matter.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import clock
from core.ids import digest
from crm import timeline
from crm.contact_points import phone_number
from crm.submission import CallUpdate, Submission
from models.call import Call, CallResult
from models.contact_point import ContactPoint, PointKind
from models.lead import OPEN, Lead
from models.source import Channel, Source

#: Inbound results that somebody should call back for.
MISSED = (CallResult.MISSED, CallResult.BUSY, CallResult.ABANDONED, CallResult.VOICEMAIL)
# Where events tell of several ends without an answer, the first of these.
_NO_ANSWER = (*MISSED, CallResult.FAILED)
# Two moments with more seconds between them (some days) are not of one call, whoever says so.
_LONGEST = 1_000_000
_MOMENTS = ("occurred_at", "started_at", "answered_at", "ended_at")
_UNSAID = {field.name: None for field in fields(CallUpdate)}
_DIALLED = re.compile(r"[+0-9 ().-]{2,40}")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_NO_NAMES = frozenset({"anonymous", "private", "restricted", "unavailable", "unknown", "wireless caller"})


@dataclass(frozen=True, slots=True)
class CallView:
    """What the events together say. Moments in UTC, seconds whole."""

    direction: str | None
    from_number: str | None
    to_number: str | None
    result: CallResult | None
    started_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None
    ring_seconds: int | None
    talk_seconds: int | None
    recording_url: str | None


@dataclass(frozen=True, slots=True)
class Merged:
    """The call after one more event, and what this event changed.

    `started`: the first event of the call. `ended`: only now are its result and its direction known.
    `changed_result`: what stood before is taken back, such as answered by missed; another way of missing
    takes nothing back. `before` is the result that stood.
    """

    call: Call
    started: bool
    ended: bool
    changed_result: bool
    before: CallResult | None = None

    @property
    def missed(self) -> bool:
        """Whether this event tells that somebody called us and reached nobody; once told it is no news."""
        news = self.ended or self.changed_result
        return news and self.call.direction == "inbound" and self.call.result in MISSED

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
    call = session.scalars(
        select(Call)
        .where(Call.source_id == source.id, Call.provider_call_id == update.call_id)
        .execution_options(populate_existing=True)
    ).one_or_none()
    started = call is None
    if call is None:
        call = Call(
            source_id=source.id,
            source=source,
            provider=provider,
            provider_call_id=update.call_id,
            facts={},
            created_at=clock.now(),
        )
        session.add(call)
    before = call.result if call.direction else None
    call.facts = remember(call.facts, update)
    view = derive(call.facts)
    for name, value in asdict(view).items():
        setattr(call, name, value)
    call.from_number = _number(view.from_number, country)
    call.to_number = _number(view.to_number, country)
    session.flush()
    return Merged(
        call,
        started=started,
        ended=before is None and call.result is not None and call.direction is not None,
        changed_result=before is not None and _outcome(before) != _outcome(call.result),
        before=before,
    )


def remember(facts: Mapping[str, Mapping[str, Any]], update: CallUpdate) -> dict[str, Any]:
    """The facts and what this event says, as JSON. The same event again changes nothing."""
    return {**facts, _name(update): _plain(update)}


def derive(facts: Mapping[str, Mapping[str, Any]]) -> CallView:
    """What all events together say. Pure, and the same for any order of the same events."""
    said = [_restored(facts[name]) for name in sorted(facts)]
    started = min(_told(said, "started_at"), default=None)
    answered = min(_told(said, "answered_at"), default=None)
    ended = max(_told(said, "ended_at"), default=None)
    finals = [e for e in said if e["final"] and e["result"]]
    dialled = [e for e in finals if e["event"].startswith("dial:")]
    talked = max(_told(dialled or said, "talk_seconds"), default=None)
    direction = next(_told(said, "direction"), None)
    message = direction != "outbound" and any(e["result"] == CallResult.VOICEMAIL for e in said)
    result = _result(dialled, finals, message, talked)
    reached = result is CallResult.ANSWERED
    if talked is None and reached and answered and ended:
        talked = _span(answered, ended)
    # How long it rang before a machine took the message is not known.
    picked = answered if reached else None if result is CallResult.VOICEMAIL else ended
    return CallView(
        direction=direction,
        from_number=next(_told(said, "from_number"), None),
        to_number=next(_told(said, "to_number"), None),
        result=result,
        started_at=started,
        answered_at=answered if reached or result is None else None,
        ended_at=ended,
        ring_seconds=_span(started, picked) if picked and started else None,
        talk_seconds=(talked or 0) if reached else 0 if result else None,
        recording_url=next(_told(said, "recording_url"), None),
    )


def _result(
    dialled: list[dict[str, Any]], finals: list[dict[str, Any]], message: bool, talked: int | None
) -> CallResult | None:
    """Whether a person answered outranks whether the provider did; a message left tells that none did."""
    results = {CallResult(e["result"]) for e in dialled or finals}
    if not results:
        return None
    if message and not (dialled and CallResult.ANSWERED in results):
        return CallResult.VOICEMAIL
    if CallResult.ANSWERED in results and (dialled or talked != 0):
        return CallResult.ANSWERED
    return min(results - {CallResult.ANSWERED} or {CallResult.MISSED}, key=_NO_ANSWER.index)


def _span(start: datetime, end: datetime) -> int | None:
    """Whole seconds; none for an end before the start, None for more than any call lasts."""
    seconds = round((end - start).total_seconds())
    return max(0, seconds) if seconds < _LONGEST else None


def _outcome(result: CallResult | None) -> CallResult | None:
    return CallResult.MISSED if result in MISSED else result


def _number(raw: str | None, country: str) -> str | None:
    """In E.164 where it is a telephone number, also as a SIP address's user; else as it came."""
    if raw is None:
        return None
    scheme, _, rest = raw.partition(":")
    user = rest.partition("@")[0] if scheme.lower() in ("sip", "sips") else ""
    dialled = user if user.startswith("+") else raw
    return (phone_number(dialled, country) if _DIALLED.fullmatch(dialled) else None) or raw


def _told(said: list[dict[str, Any]], name: str) -> Iterator[Any]:
    return (e[name] for e in said if e[name] is not None)


def _name(update: CallUpdate) -> str:
    """Its own for each event: two that say different things never take each other's place."""
    content = digest(json.dumps(_plain(update), sort_keys=True))[:12]
    sequence = "" if update.sequence is None else f":{update.sequence:06}"
    return f"{update.event}{sequence}:{content}"


def _plain(update: CallUpdate) -> dict[str, Any]:
    values = asdict(update)
    return values | {name: values[name].isoformat() if values[name] else None for name in _MOMENTS}


def _restored(values: Mapping[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {**_UNSAID, **values}
    return said | {name: datetime.fromisoformat(said[name]) if said[name] else None for name in _MOMENTS}


def submission_of(call: Call, *, own_numbers: Collection[str]) -> Submission | None:
    """The enquiry that an inbound call is once it has ended; None while it goes on, and for other calls.

    A withheld caller, and one of our own numbers (in E.164), has no telephone number to be known by.
    The network's name for the caller (CNAM) is a hint in `extra`: it is the name of who pays the line.
    """
    if call.direction != "inbound" or call.result is None:
        return None
    caller = call.from_number
    known = caller is not None and _E164.fullmatch(caller) and caller not in own_numbers
    words = "Missed call" if call.result in MISSED else "Call"
    hints = (call.facts[name].get("caller_name") for name in sorted(call.facts))
    hint = next((hint for hint in hints if hint and _is_name(hint)), None)
    return Submission(
        channel=Channel.CALL,
        occurred_at=call.ended_at or call.started_at or call.created_at,
        phones=(caller,) if known and caller else (),
        title=f"{words} from {caller or 'a withheld number'}",
        extra={"caller_name": hint} if hint else {},
    )


def lead_of_caller(session: Session, call: Call) -> Lead | None:
    """The open lead of the person who is known by the number an inbound call comes from."""
    if call.direction != "inbound" or call.from_number is None:
        return None
    return session.scalars(
        select(Lead)
        .join(ContactPoint, ContactPoint.person_id == Lead.person_id)
        .where(
            ContactPoint.kind == PointKind.PHONE,
            ContactPoint.value == call.from_number,
            Lead.status.in_(OPEN),
        )
        .order_by(Lead.id)
        .limit(1)
        .with_for_update(of=Lead)
    ).first()


def _is_name(hint: str) -> bool:
    letters, digits = sum(c.isalpha() for c in hint), sum(c.isdigit() for c in hint)
    return letters > 1 and letters > digits and hint.strip().lower() not in _NO_NAMES


def tell(session: Session, call: Call, lead: Lead, *, event_id: str) -> None:
    """Puts the call, as it stands now, on the lead's timeline."""
    if call.result is None:
        return
    words = {CallResult.ANSWERED: f"Call answered, {call.talk_seconds or 0} s"}.get(
        call.result, f"Call {call.result.value}"
    )
    timeline.record(
        session,
        lead,
        kind="call",
        summary=f"{words}: {call.from_number or 'withheld number'}",
        data={"call": call.id, "result": call.result.value, "talk_seconds": call.talk_seconds},
        event_id=event_id,
        at=call.ended_at or call.started_at,
    )
