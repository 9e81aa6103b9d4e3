"""One call out of its provider's events, in whatever order and how often they come.

Each event's words are kept under its own name; everything else of the call is derived from all of
them together, so that the order of arrival cannot matter.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
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
from models.lead import Lead
from models.source import Channel, Source

#: Inbound results that somebody should call back for.
MISSED = (CallResult.MISSED, CallResult.BUSY, CallResult.ABANDONED, CallResult.VOICEMAIL)
_MOMENTS = ("occurred_at", "started_at", "answered_at", "ended_at")


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
    """The call after one more event, and what this event changed."""

    call: Call
    started: bool
    ended: bool
    changed_result: bool

    @property
    def missed(self) -> bool:
        """Whether somebody called us and reached nobody."""
        return self.call.direction == "inbound" and self.call.result in MISSED

    @property
    def answered(self) -> bool:
        """Whether people have talked."""
        return self.call.result is CallResult.ANSWERED


def merge(session: Session, update: CallUpdate, *, source: Source, provider: str, country: str) -> Merged:
    """Finds or makes the call and adds what the event says. Numbers are read as in `country`."""
    if session.get_bind().dialect.name == "postgresql":
        key = f"call:{source.id}:{update.call_id}"
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))
    call = session.scalars(
        select(Call).where(Call.source_id == source.id, Call.provider_call_id == update.call_id)
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
    before = call.result
    call.facts = {**call.facts, _name(update): _plain(update)}
    view = derive(call.facts)
    for name, value in asdict(view).items():
        setattr(call, name, value)
    for name in ("from_number", "to_number"):
        raw = getattr(view, name)
        setattr(call, name, (phone_number(raw, country) or raw) if raw else None)
    session.flush()
    return Merged(
        call,
        started=started,
        ended=before is None and call.result is not None,
        changed_result=before is not None and before != call.result,
    )


def derive(facts: Mapping[str, Mapping[str, Any]]) -> CallView:
    """What all events together say. Pure, and the same for any order of the same events."""
    said = [_restored(facts[name]) for name in sorted(facts)]
    started = _first(said, "started_at")
    answered = _first(said, "answered_at")
    ended = max((e["ended_at"] for e in said if e["ended_at"]), default=None)
    dialled = [e for e in said if e["final"] and e["event"].startswith("dial:")]
    finals = [e for e in said if e["final"] and e["result"]]
    talked = max((e["talk_seconds"] for e in dialled or said if e["talk_seconds"] is not None), default=None)
    result = _result(dialled, finals, answered, talked)
    reached = result is CallResult.ANSWERED
    if talked is None and reached and answered and ended:
        talked = max(0, round((ended - answered).total_seconds()))
    picked = answered if reached else ended
    return CallView(
        direction=_any(said, "direction"),
        from_number=_any(said, "from_number"),
        to_number=_any(said, "to_number"),
        result=result,
        started_at=started,
        answered_at=answered if reached or result is None else None,
        ended_at=ended,
        ring_seconds=max(0, round((picked - started).total_seconds())) if picked and started else None,
        talk_seconds=(talked or 0) if reached else 0 if result else None,
        recording_url=_any(said, "recording_url"),
    )


def _result(
    dialled: list[dict[str, Any]], finals: list[dict[str, Any]], answered: datetime | None, talked: int | None
) -> CallResult | None:
    """Whether a person answered outranks whether the provider did."""
    if dialled:
        results = {CallResult(e["result"]) for e in dialled}
        return CallResult.ANSWERED if CallResult.ANSWERED in results else sorted(results)[0]
    if not finals:
        return None
    results = {CallResult(e["result"]) for e in finals}
    if results == {CallResult.ANSWERED} and talked == 0 and answered is None:
        return CallResult.MISSED
    others = sorted(results - {CallResult.ANSWERED})
    return CallResult.ANSWERED if CallResult.ANSWERED in results else others[0]


def _first(said: list[dict[str, Any]], name: str) -> datetime | None:
    return min((e[name] for e in said if e[name]), default=None)


def _any(said: list[dict[str, Any]], name: str) -> Any:
    return next((e[name] for e in said if e[name]), None)


def _name(update: CallUpdate) -> str:
    """Its own for each event: two that say different things never take each other's place."""
    content = digest(json.dumps(_plain(update), sort_keys=True))[:12]
    return (
        f"{update.event}:{content}"
        if update.sequence is None
        else f"{update.event}:{update.sequence:06}:{content}"
    )


def _plain(update: CallUpdate) -> dict[str, Any]:
    values = asdict(update)
    return values | {name: values[name].isoformat() if values[name] else None for name in _MOMENTS}


def _restored(values: Mapping[str, Any]) -> dict[str, Any]:
    moments = {name: datetime.fromisoformat(values[name]) if values[name] else None for name in _MOMENTS}
    return dict(values) | moments


def submission_of(call: Call, *, own_numbers: list[str]) -> Submission | None:
    """The enquiry that an inbound call is once it has ended; None while it goes on, and for other calls.

    A withheld caller, and one of our own numbers, has no telephone number to be known by.
    """
    if call.direction != "inbound" or call.result is None:
        return None
    caller = call.from_number
    known = caller is not None and caller.startswith("+") and caller not in own_numbers
    words = "Missed call" if call.result in MISSED else "Call"
    hint = next((e.get("caller_name") for e in call.facts.values() if e.get("caller_name")), None)
    return Submission(
        channel=Channel.CALL,
        occurred_at=call.ended_at or call.started_at or call.created_at,
        phones=(caller,) if known and caller else (),
        title=f"{words} from {caller or 'a withheld number'}",
        extra={"caller_name": hint} if hint else {},
    )


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
