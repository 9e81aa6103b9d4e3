"""Who could have had leads at a moment of the past: the backtest's people, with turns and loads of their own.

Hours, absences, caps, turns and weights are judged by what judges them for a real lead; what is counted is
what the backtest itself has given away, beside the leads that were there before it begins.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from core.errors import Invalid
from crm.workspace import WorkspaceSettings
from models.lead import OPEN, Lead
from models.rule import Rotation
from models.user import Team, TeamMember, User
from models.workspace import Calendar, Territory
from rules.assignment.candidates import Candidate, absent, hindrance
from rules.assignment.strategies import next_of, of_territory, turn_key
from rules.assignment.wish import Wish
from rules.calendar import BusinessCalendar


class Staff:
    """Users, teams, territories and calendars as they are today, at a moment that moves on."""

    def __init__(self, session: Session, here: WorkspaceSettings, since: datetime) -> None:
        self._session = session
        self._here = here
        self._since = since
        self._users = {user.email: user for user in session.scalars(select(User))}
        self._teams: dict[str, list[tuple[User, str | None]]] = {}
        for key, calendar, user in session.execute(
            select(Team.key, Team.calendar, User)
            .join(TeamMember, TeamMember.team_id == Team.id)
            .join(User, User.id == TeamMember.user_id)
            .where(Team.active)
            .order_by(Team.key, TeamMember.position)
        ):
            self._teams.setdefault(key, []).append((user, calendar))
        self._territories = {t.key: t for t in session.scalars(select(Territory))}
        self._calendars = {
            c.key: BusinessCalendar.of(c.settings, here.zone) for c in session.scalars(select(Calendar))
        }
        self._turns: dict[str, Rotation] = {}
        self._open: Counter[str] = Counter()
        self._closing: list[tuple[datetime, str]] = []
        self._of_day: Counter[tuple[str, object]] = Counter()
        self._had: dict[int, str] = {}
        self._count_earlier()
        self.move_to(since)

    def _count_earlier(self) -> None:
        rows = self._session.execute(
            select(User.email, Lead.status, Lead.updated_at)
            .join(User, User.id == Lead.owner_id)
            .where(Lead.created_at < self._since)
            .where(or_(Lead.status.in_(OPEN), Lead.updated_at >= self._since))
        )
        for email, status, updated_at in rows:
            self._open[email] += 1
            if status not in OPEN:
                heapq.heappush(self._closing, (updated_at, email))

    def move_to(self, moment: datetime) -> None:
        """It is this moment now: what was closed until then is no load any more."""
        self.now = moment
        self._today = moment.astimezone(self._here.zone).date()
        self._at_work: dict[str, bool] = {}
        while self._closing and self._closing[0][0] <= moment:
            self._open[heapq.heappop(self._closing)[1]] -= 1

    def choose(self, wish: Wish, person_id: int, facts: Mapping[str, Any]) -> str | None:
        """The address of whoever would be given it now; None where nobody of the wish can have it."""
        for one in wish.chain():
            try:
                found = self._sticky(one, person_id) or self._plain(one, facts)
            except Invalid:
                continue
            if found is not None:
                return found
        return None

    def give(self, email: str, person_id: int, closed_at: datetime | None) -> None:
        """Counts a lead as given now; until it was really closed it is a load."""
        self._open[email] += 1
        self._of_day[email, self._today] += 1
        self._had[person_id] = email
        if closed_at is not None:
            heapq.heappush(self._closing, (closed_at, email))

    def _sticky(self, wish: Wish, person_id: int) -> str | None:
        if not wish.sticky:
            return None
        email = self._had.get(person_id) or self._had_earlier.get(person_id)
        user = self._users.get(email or "")
        return email if user is not None and self._judged(user, None, None).why_not is None else None

    @cached_property
    def _had_earlier(self) -> dict[int, str]:
        """Who had the last lead before all this of each person that has come since."""
        come = select(Lead.person_id).where(Lead.created_at >= self._since)
        rows = self._session.execute(
            select(Lead.person_id, User.email)
            .join(User, User.id == Lead.owner_id)
            .where(Lead.created_at < self._since, Lead.person_id.in_(come))
            .order_by(Lead.id)
        )
        return {row.person_id: row.email for row in rows}

    def _plain(self, wish: Wish, facts: Mapping[str, Any]) -> str | None:
        if wish.user is not None:
            user = self._users.get(wish.user.lower())
            able = user is not None and user.active and absent(user, self._today) is None
            return user.email if user is not None and able else None
        if wish.territory is not None:
            table = self._territories.get(wish.territory)
            inner, _ = of_territory(table, wish, facts) if table is not None else (None, "")
            return self._plain(inner, facts) if inner is not None else None
        # Who is the first to accept an offer cannot be known: whoever's turn it would be.
        named = wish if wish.team is not None else Wish(team=wish.offer, skill=wish.skill)
        members = [
            self._judged(user, calendar, named.skill)
            for user, calendar in self._teams.get(named.team or "", ())
        ]
        key = turn_key(named)
        if key not in self._turns:
            self._turns[key] = Rotation(key=key, last_user_id=None, credits={})
        chosen = next_of(named, self._turns[key], members).user
        return chosen.email if chosen is not None else None

    def _judged(self, user: User, team_calendar: str | None, skill: str | None) -> Candidate:
        load = self._open[user.email]
        why_not = hindrance(
            user,
            skill=skill,
            today=self._today,
            at_work=self._is_at_work(user.calendar or team_calendar),
            open_leads=load,
            of_today=self._of_day[user.email, self._today],
        )
        return Candidate(user, load, why_not)

    def _is_at_work(self, key: str | None) -> bool:
        calendar = self._calendars.get(key or "")
        if key is None or calendar is None:
            return True
        if key not in self._at_work:
            self._at_work[key] = calendar.is_open(self.now)
        return self._at_work[key]
