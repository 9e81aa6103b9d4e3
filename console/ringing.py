"""Calls that ring, for the pages that are open: asked for twice a second, so answered out of memory.

A page that waited for news would hold one of the threads that take enquiries; this one holds it for less than
a millisecond. The database is asked by one request at a time, four times a second at most, whoever is there.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Response, current_app, g, jsonify, redirect, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from console import auth, words
from core import clock, db
from core.errors import NotFound, Unavailable
from crm import ringing, workspace
from crm.element import Element
from crm.ringing import Ring
from crm.workspace import WorkspaceSettings
from intake import taking
from models.call import Call
from models.lead import Lead
from models.source import Channel, Source
from models.user import User

#: Seconds for which one look at the calls is good, and one at who may sign in.
FRESH, PEOPLE_FRESH = 0.25, 2.0
# Beyond that no answer is better than an old one.
_STALE = 5.0
#: Milliseconds after which a page asks again: where there are lines, and where there are none.
AGAIN, SELDOM = 500, 30_000


@dataclass(frozen=True)
class _People:
    """Who may look, with the number that ends older sign-ins; and what else seldom changes."""

    epochs: Mapping[int, int]
    here: WorkspaceSettings
    has_lines: bool
    read_at: float


@dataclass(frozen=True)
class Board:
    """What rings, as one look has found it."""

    people: _People
    rings: list[Ring]
    read_at: float


class Lookout:
    """One for each process: what was last seen."""

    def __init__(self) -> None:
        self._seen: Board | None = None
        self._looking = threading.Lock()

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
                read_at=now,
            )
        rings = ringing.ringing(session, people.here) if people.has_lines else []
        return Board(people, rings, now)


def ringing_now() -> ResponseReturnValue:
    """What rings for whoever is signed in, as JSON, and when to ask again."""
    lookout: Lookout = current_app.extensions["console.lookout"]
    board = lookout.board()
    claimed = auth.claimed()
    if claimed is None or board.people.epochs.get(claimed[0]) != claimed[1]:
        return Response(status=401)
    g.here = board.people.here
    rings = [_shown(ring, claimed[0]) for ring in board.rings if _is_for(ring, claimed[0])]
    return jsonify(rings=rings, again=AGAIN if board.people.has_lines else SELDOM)


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
        "open": _page(ring.element),
        "take": url_for("console.take", call_id=ring.call.id) if ring.owner is None else None,
    }


def _page(element: Element | None) -> str | None:
    """Where it is shown."""
    if element is None:
        return None
    if isinstance(element, Lead):
        return url_for("console.lead", lead_id=element.id)
    return url_for(f"console.{type(element).__name__.lower()}", row_id=element.id)


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
