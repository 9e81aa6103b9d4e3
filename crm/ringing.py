"""The calls that ring just now: who it is, what of theirs is open, and whom it concerns. Only reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session, joinedload

from core import clock
from crm import callers, timeline
from crm.element import Element
from crm.own_numbers import OwnNumbers, own_numbers
from crm.workspace import WorkspaceSettings
from models.call import Call
from models.company import Company
from models.timeline import TimelineEntry
from models.user import Team, TeamMember, User

#: No telephone rings for longer without a word from its provider.
LONGEST = timedelta(minutes=3)
# What of a timeline is a contact with them.
_CONTACTS = ("submission", "email", "mail_sent", "call", "comment", "activity_done")
_MOST = 50


@dataclass(frozen=True, slots=True)
class Ring:
    """A call that nobody has answered yet.

    `element` is what of theirs a call belongs to, None for somebody who is not known. `concerned` are the
    users who may answer: the client's owner, whoever is rung, the line's team; None for everybody.
    """

    call: Call
    line: str
    hint: str
    element: Element | None
    owner: User | None
    rung: User | None
    last: TimelineEntry | None
    concerned: frozenset[int] | None

    @property
    def since(self) -> datetime:
        """When it began."""
        return self.call.started_at or self.call.created_at


def under_way() -> tuple[ColumnElement[bool], ...]:
    """The conditions for a call from outside that rings still."""
    return (
        Call.result.is_(None),
        Call.direction == "inbound",
        Call.answered_at.is_(None),
        Call.heard_at > clock.now() - LONGEST,
    )


def ringing(session: Session, here: WorkspaceSettings) -> list[Ring]:
    """All of them, the newest first."""
    rows = session.scalars(
        select(Call)
        .where(*under_way())
        .options(joinedload(Call.source), joinedload(Call.rung_user))
        .order_by(Call.id.desc())
        .limit(_MOST)
    ).all()
    if not rows:
        return []
    own = own_numbers(session, here.country)
    return [_ring(session, call, here, own) for call in rows if call.from_number not in own.people]


def _ring(session: Session, call: Call, here: WorkspaceSettings, own: OwnNumbers) -> Ring:
    element = callers.known(session, call.from_number, own=own)
    owner = None if element is None or isinstance(element, Company) else element.owner
    last = None
    if element is not None:
        told = timeline.of(session, element).where(TimelineEntry.kind.in_(_CONTACTS))
        last = session.scalars(told.order_by(TimelineEntry.id.desc()).limit(1)).first()
    return Ring(
        call=call,
        line=call.source.name or call.source.key,
        hint=callers.caller_name(call),
        element=element,
        owner=owner,
        rung=call.rung_user,
        last=last,
        concerned=_concerned(session, call.source.settings, here, owner, call.rung_user),
    )


def _concerned(
    session: Session,
    line: Mapping[str, Any],
    here: WorkspaceSettings,
    owner: User | None,
    rung: User | None,
) -> frozenset[int] | None:
    named = [*_teams(line)] or ([here.catch_all] if here.catch_all else [])
    if not named:
        return None
    members = session.scalars(
        select(TeamMember.user_id).join(Team, Team.id == TeamMember.team_id).where(Team.key.in_(named))
    ).all()
    users = session.scalars(select(User.id).where(User.email.in_([n.lower() for n in named if "@" in n])))
    return frozenset([*members, *users, *(user.id for user in (owner, rung) if user is not None)])


def _teams(line: Mapping[str, Any]) -> Iterator[str]:
    for value in (line.get("team"), (line.get("connect") or {}).get("team")):
        if value:
            yield str(value)
