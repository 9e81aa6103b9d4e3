"""What a call's events say together. Pure, and the same for any order and number of the same events.

A call has legs where its provider tells of each connection: the caller's own, and one for each telephone that
was rung for it. That the provider has picked up the caller's leg says nothing of whether a person did.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from core.ids import digest
from crm.submission import CallUpdate
from models.call import CallResult

#: Inbound results that somebody should call back for.
MISSED = (CallResult.MISSED, CallResult.BUSY, CallResult.ABANDONED, CallResult.VOICEMAIL)
# Where events tell of several ends without an answer, the first of these.
_NO_ANSWER = (*MISSED, CallResult.FAILED)
# Two moments with more seconds between them (some days) are not of one call, whoever says so.
_LONGEST = 1_000_000
_MOMENTS = ("occurred_at", "started_at", "answered_at", "ended_at")
#: So many events of a call are kept: those that tell most. A call of more has legs that say the same.
MOST_EVENTS = 400
_TELLING = ("final", "decisive", "result", "answered_at", "recording_url", "recording_id", "transcript")
_UNSAID = {field.name: None for field in fields(CallUpdate)}
# All but what the call is not derived from.
_LASTING = tuple(name for name in _UNSAID if name not in ("also", "asks", "handle", "order"))

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class CallView:
    """What the events together say. Moments in UTC, seconds whole.

    `known_as` is the provider's name for the call where it has one beside the id that its events share.
    """

    known_as: str | None
    direction: str | None
    from_number: str | None
    to_number: str | None
    result: CallResult | None
    started_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None
    ring_seconds: int | None
    talk_seconds: int | None
    answered_by: str | None
    recording_url: str | None
    recording_id: str | None
    transcript: str | None
    closed_reason: str | None


@dataclass(frozen=True, slots=True)
class Leg:
    """One connection of a call: to whom, and what became of it."""

    leg: str
    to_number: str | None
    result: CallResult | None
    answered_at: datetime | None
    ended_at: datetime | None
    answered_by: str | None


def remember(facts: Mapping[str, Mapping[str, Any]], update: CallUpdate) -> dict[str, Any]:
    """The facts and what this event says, as JSON. The same event again changes nothing.

    Of more than `MOST_EVENTS` those stay that tell most, by what they say alone: in whatever order they come.
    """
    kept = {**facts, **dict(_kept(said) for said in (update, *update.also))}
    while len(kept) > MOST_EVENTS:
        del kept[min(kept, key=lambda name: (*_weight(kept[name]), name))]
    return kept


def _weight(said: Mapping[str, Any]) -> tuple[int, int]:
    return sum(name in said for name in _TELLING), len(said)


def derive(facts: Mapping[str, Mapping[str, Any]]) -> CallView:
    """What all events together say."""
    said = [_restored(facts[name]) for name in sorted(facts)]
    main, others = _divided(said)
    ordered = any(e["ordered"] for e in said)
    directions = list(_told([*main, *said], "direction"))
    inbound = "inbound" in _told(main, "direction") and not ordered
    direction = "outbound" if ordered else "inbound" if inbound else next(iter(directions), None)
    main = sorted(main, key=lambda e: (not e["ordered"], e["direction"] not in (None, direction)))
    result = _result(said, main, others, direction)
    reached = result is CallResult.ANSWERED
    started = min(_told(main, "started_at"), default=min(_told(said, "started_at"), default=None))
    ended = max(_told(main, "ended_at"), default=max(_told(said, "ended_at"), default=None))
    answered = _answered(said, main, others, result)
    talked = _talked(said, main, others)
    if talked is None and reached and answered and ended:
        talked = _span(answered, ended)
    # How long it rang before a machine took the message is not known.
    picked = answered if reached else None if result is CallResult.VOICEMAIL else ended
    if ordered and not others and not reached:
        picked = None  # that the client's telephone rang at all, nobody told
    rung_for = [e for events in others.values() for e in events]
    rung = started
    if ordered and others:  # our own telephone rang first
        rung = min((m for events in others.values() for m in _told(events, "started_at")), default=started)
    return CallView(
        known_as=next(_told([*main, *said], "known_as"), None),
        direction=direction,
        from_number=next(_told([*main, *said], "from_number"), None),
        to_number=next(_told([*main, *said], "to_number"), None),
        result=result,
        started_at=started,
        answered_at=answered if reached or result is None else None,
        ended_at=ended,
        ring_seconds=_span(rung, picked) if picked and rung else None,
        talk_seconds=(talked or 0) if reached else 0 if result else None,
        # The caller's own leg is picked up by a machine, and names our line.
        answered_by=(_answered_by(rung_for) or _answered_by(said)) if reached else None,
        recording_url=next(_told(said, "recording_url"), None),
        recording_id=next(_told(said, "recording_id"), None),
        transcript="\n".join(dict.fromkeys(_told(said, "transcript"))) or None,
        closed_reason=_reason(said, main, result),
    )


def legs(facts: Mapping[str, Mapping[str, Any]]) -> list[Leg]:
    """The telephones that were rung for the call, the first rung first."""
    said = [_restored(facts[name]) for name in sorted(facts)]
    main, others = _divided(said)
    over = any(e["final"] for e in main)
    return [
        Leg(
            leg=name,
            to_number=next(_told(events, "to_number"), None),
            result=_outcome(events, over),
            answered_at=min(_told(events, "answered_at"), default=None),
            ended_at=max(_told(events, "ended_at"), default=None),
            answered_by=_answered_by(events),
        )
        for name, events in sorted(others.items(), key=lambda item: _first(item[1]))
    ]


def recordings_of(facts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The provider's ids, which stay good, or else addresses, of the call's recordings, each once."""
    said = (facts[name] for name in sorted(facts))
    found = (e.get("recording_id") or e.get("recording_url") for e in said)
    return list(dict.fromkeys(f for f in found if f))


def _divided(said: list[Event]) -> tuple[list[Event], dict[str, list[Event]]]:
    """The events of the caller's leg (or, of a call that we made, the first), and those of the others."""
    found: dict[str, list[Event]] = {}
    for event in said:
        if event["leg"] is not None:
            found.setdefault(event["leg"], []).append(event)
    whole = [e for e in said if e["leg"] is None]
    if any(not e["decisive"] and (e["result"] or e["direction"]) for e in whole) or not found:
        return whole, found

    def rank(name: str) -> tuple[int, str, str]:
        directions = set(_told(found[name], "direction"))
        return (0 if "inbound" in directions else 1 if directions else 2, *_first(found[name]))

    main = min(found, key=rank)
    return whole + found.pop(main), found


def _first(events: list[Event]) -> tuple[str, str]:
    moment = min((m for e in events for name in _MOMENTS if (m := e[name])), default=None)
    return moment.isoformat() if moment else "~", events[0]["leg"] or ""


def _result(
    said: list[Event], main: list[Event], others: Mapping[str, list[Event]], direction: str | None
) -> CallResult | None:
    """Whether a person answered outranks whether a machine did; a message left tells that none did."""
    heard = _heard(main)
    decisive = [e for e in said if e["decisive"] and e["result"]]
    # A note that no end came counts only as long as none did.
    finals = heard or [e for e in main if e["final"] and e["result"]]
    if not finals and not any(e["final"] for e in decisive):
        return None
    results = {CallResult(e["result"]) for e in decisive}
    if not results:
        outcomes = {_outcome(events, over=True) for events in others.values()}
        results = {o for o in outcomes if o} or {CallResult(e["result"]) for e in finals}
        # What was told of an answer holds, whatever is said of how the call ended.
        if not others and any(e["result"] == CallResult.ANSWERED for e in main):
            results.add(CallResult.ANSWERED)
    message = direction != "outbound" and any(e["result"] == CallResult.VOICEMAIL for e in said)
    people = bool(decisive or others)
    if message and not (people and CallResult.ANSWERED in results):
        return CallResult.VOICEMAIL
    talked = _talked(said, main, others)
    if CallResult.ANSWERED in results and (people or talked != 0):
        return CallResult.ANSWERED
    found = min(results - {CallResult.ANSWERED} or {CallResult.MISSED}, key=_NO_ANSWER.index)
    recorded = direction != "outbound" and any(e["message"] for e in said)
    return CallResult.VOICEMAIL if recorded and found in MISSED else found


def _talked(said: list[Event], main: list[Event], others: Mapping[str, list[Event]]) -> int | None:
    """By who knows best: what tells of people, else the legs that were answered, else the caller's own."""
    answered = [
        e for events in others.values() if _outcome(events, over=True) is CallResult.ANSWERED for e in events
    ]
    decisive = [e for e in said if e["decisive"]]
    return max(_told(decisive or answered or ([] if others else main), "talk_seconds"), default=None)


def _heard(main: list[Event]) -> list[Event]:
    """The ends that the provider told of."""
    return [e for e in main if e["final"] and e["result"] and not e["closed_reason"]]


def _reason(said: list[Event], main: list[Event], result: CallResult | None) -> str | None:
    """Why it counts as over though no end was told, or why a call of ours was never put through."""
    if not _heard(main):
        return next(_told(said, "closed_reason"), None)
    return next(_told(main, "reason"), None) if result is CallResult.FAILED else None


def _outcome(events: list[Event], over: bool) -> CallResult | None:
    """What became of one leg; where its own end was lost, whether it was answered."""
    results = {CallResult(e["result"]) for e in events if e["final"] and e["result"]}
    if any(e["result"] == CallResult.ANSWERED for e in events):
        return CallResult.ANSWERED
    if results:
        return min(results, key=_NO_ANSWER.index)
    if not over:
        return None
    return CallResult.ANSWERED if any(_told(events, "answered_at")) else CallResult.MISSED


def _answered(
    said: list[Event], main: list[Event], others: Mapping[str, list[Event]], result: CallResult | None
) -> datetime | None:
    """When a person answered, where a leg tells; else when the caller's leg was picked up, which says nothing
    while the telephones rung for it still ring."""
    people = [
        e
        for events in others.values()
        if _outcome(events, over=result is not None) in (CallResult.ANSWERED, None)
        for e in events
    ]
    decisive = [e for e in said if e["decisive"] and e["result"] == CallResult.ANSWERED]
    moments = [*_told(people, "answered_at"), *_told(decisive, "answered_at")]
    if result is None and others:
        return min(moments, default=None)
    return min(moments, default=min(_told(main, "answered_at"), default=None))


def _answered_by(events: list[Event]) -> str | None:
    named = [e for e in events if e["answered_by"]]
    moment = ((e["answered_at"] or e["occurred_at"], e["answered_by"]) for e in named)
    ordered = sorted(moment, key=lambda m: (m[0] is None, m[0].isoformat() if m[0] else "", m[1]))
    return ordered[0][1] if ordered else None


def _span(start: datetime, end: datetime) -> int | None:
    """Whole seconds; none for an end before the start, None for more than any call lasts."""
    seconds = round((end - start).total_seconds())
    return max(0, seconds) if seconds < _LONGEST else None


def _told(said: list[Event], name: str) -> Iterator[Any]:
    return (e[name] for e in said if e[name] is not None)


def _kept(update: CallUpdate) -> tuple[str, dict[str, Any]]:
    """What it says, and nothing of what it does not: a call keeps many events.

    Under a name of its own: two that say different things never take each other's place.
    """
    values = ((name, getattr(update, name)) for name in _LASTING)
    said = {name: value for name, value in values if value is not None and value is not False}
    said |= {name: said[name].isoformat() for name in _MOMENTS if name in said}
    sequence = "" if update.sequence is None else f":{update.sequence:06}"
    return f"{update.event}{sequence}:{digest(json.dumps(said, sort_keys=True))[:12]}", said


def _restored(values: Mapping[str, Any]) -> Event:
    said: Event = {**_UNSAID, **values}
    return said | {name: datetime.fromisoformat(said[name]) if said[name] else None for name in _MOMENTS}
