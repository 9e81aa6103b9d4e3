"""Calls that ring or were placed, counters, news: asked for by open pages often, so answered from memory.

A page that waited for news, or was sent them as they come, would hold one of the threads that take enquiries;
this one holds it for less than a millisecond, and is told in one line where nothing is new. The database is
asked by one request at a time, four times a second at most, whoever is there; counters are counted anew once
something has happened.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Response, current_app, g, jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import func, select

from console import auth, words
from console.placed import Progress, lately
from console.places import page_of
from core import clock, db
from core.errors import NotFound, Unavailable
from crm import counters, notifications, ringing, workspace
from crm.ringing import Ring
from crm.workspace import WorkspaceSettings
from intake import taking
from models.call import Call
from models.source import Channel, Source
from models.timeline import TimelineEntry
from models.user import User

#: Seconds for which one look at the calls is good, and one at who may sign in.
FRESH, PEOPLE_FRESH = 0.25, 2.0
# Beyond that no answer is better than an old one.
_STALE = 5.0
#: Seconds for which a user's counters are good: while nothing happens, and at least, however much does.
COUNTED_FRESH, RECOUNTED = 10.0, 1.0
#: Milliseconds after which a page asks again: where there are lines, and where there are none.
AGAIN, SELDOM = 500, 1_000


@dataclass(frozen=True)
class _People:
    """Who may look, with the number that ends older sign-ins; and what else seldom changes."""

    epochs: Mapping[int, int]
    here: WorkspaceSettings
    has_lines: bool
    #: How much each has not read of what they were told, by their ids.
    unread: Mapping[int, int]
    read_at: float


@dataclass(frozen=True)
class Board:
    """What rings, as one look has found it."""

    people: _People
    rings: list[Ring]
    placed: list[Progress]
    #: The last entry of all timelines: another one says that something has happened.
    latest: int
    read_at: float


@dataclass(frozen=True)
class _Counted:
    """A user's counters, and up to which entry of the timelines they count."""

    told: dict[str, int]
    latest: int
    at: float


class Lookout:
    """One for each process: what was last seen."""

    def __init__(self) -> None:
        self._seen: Board | None = None
        self._looking = threading.Lock()
        self._counted: dict[int, _Counted] = {}
        self._counting = threading.Lock()

    def board(self) -> Board:
        """What rings. Whoever comes while another one looks gets what is there.

        Raises Unavailable where nothing was seen for some seconds.
        """
        seen = self._seen
        if seen is None or clock.monotonic() - seen.read_at >= FRESH:
            if self._looking.acquire(blocking=seen is None):
                try:
                    self._seen = seen = _look(self._seen)
                finally:
                    self._looking.release()
            elif seen is not None and clock.monotonic() - seen.read_at > _STALE:
                raise Unavailable("what rings is not known just now")
        return seen or self.board()

    def counted(self, user_id: int, board: Board) -> dict[str, int]:
        """The user's counters, by name, as they were within the last seconds."""
        seen = self._counted.get(user_id)
        good = COUNTED_FRESH if seen is not None and seen.latest == board.latest else RECOUNTED
        old = seen is None or clock.monotonic() - seen.at >= good
        if old and self._counting.acquire(blocking=seen is None):
            try:
                with db.reading() as session:
                    found = counters.of_users(session, board.people.here, [user_id])
                told = found.get(user_id, counters.Counters()).told
                self._counted[user_id] = seen = _Counted(told, board.latest, clock.monotonic())
            finally:
                self._counting.release()
        return seen.told if seen is not None else {}

    def forget(self) -> None:
        """Makes the next look a new one, for whoever has just changed what is seen."""
        self._seen = None


def _look(before: Board | None) -> Board:
    now = clock.monotonic()
    with db.reading() as session:
        people = before.people if before is not None else None
        if people is None or now - people.read_at >= PEOPLE_FRESH:
            rows = session.execute(select(User.id, User.session_epoch).where(User.active))
            line = select(Source.id).where(Source.channel == Channel.CALL, Source.active).limit(1)
            people = _People(
                epochs={row.id: row.session_epoch for row in rows},
                here=workspace.load(session),
                has_lines=session.scalar(line) is not None,
                unread=notifications.unread(session),
                read_at=now,
            )
        rings = ringing.ringing(session, people.here) if people.has_lines else []
        placed = lately(session) if people.has_lines else []
        latest = session.scalar(select(func.max(TimelineEntry.id))) or 0
        return Board(people, rings, placed, latest, now)


def ringing_now() -> ResponseReturnValue:
    """What rings for whoever is signed in, how placed calls go, and their counters; and when to ask again."""
    lookout: Lookout = current_app.extensions["console.lookout"]
    board = lookout.board()
    claimed = auth.claimed()
    if claimed is None or board.people.epochs.get(claimed[0]) != claimed[1]:
        return Response(status=401)
    g.here = board.people.here
    rings = [_shown(ring, claimed[0]) for ring in board.rings if _is_for(ring, claimed[0])]
    counted = {
        **lookout.counted(claimed[0], board),
        "unread": board.people.unread.get(claimed[0], 0),
    }
    placed = [one.told() for one in board.placed]
    again = AGAIN if board.people.has_lines else SELDOM
    told = jsonify(rings=rings, placed=placed, counters=counted, again=again)
    told.add_etag()
    return told.make_conditional(request)


def _is_for(ring: Ring, user_id: int) -> bool:
    return ring.concerned is None or user_id in ring.concerned


def _shown(ring: Ring, user_id: int) -> dict[str, Any]:
    number = ring.call.from_number or "Withheld number"
    name = getattr(ring.element, "name", "") or getattr(ring.element, "title", "")
    return {
        "id": ring.call.id,
        "title": name or (f"{ring.hint}?" if ring.hint else number),
        "number": number if name or ring.hint else "",
        "line": ring.line,
        "mine": user_id in {user.id for user in (ring.owner, ring.rung) if user is not None},
        "notes": list(_notes(ring, user_id)),
        "open": page_of(ring.element),
        "take": url_for("console.take", call_id=ring.call.id) if ring.owner is None else None,
    }


def _notes(ring: Ring, user_id: int) -> list[str]:
    found = []
    if ring.element is None:
        found.append("Not known yet")
    elif ring.owner is not None:
        found.append("Your client" if ring.owner.id == user_id else f"Client of {ring.owner.name}")
    if ring.rung is not None:
        found.append("Your telephone rings" if ring.rung.id == user_id else f"Rings {ring.rung.name}")
    if ring.last is not None:
        found.append(f"Last: {words.said(ring.last.at)}, {ring.last.summary}"[:160])
    return found


def take(call_id: int) -> ResponseReturnValue:
    """Whoever says so takes the call: its lead, made now if there is none, is open before they speak."""
    with db.unit_of_work() as session:
        call = session.get(Call, call_id)
        if call is None:
            raise NotFound("There is no such call.")
        lead = taking.take(session, call, auth.current_user(), actor=f"user:{auth.current_user().id}")
    return redirect(url_for("console.lead", lead_id=lead.id), 303)
