"""Who answers a call that rings just now: whoever knows the client, else whom the rules want, else a team.

Only reads, so that a caller waits for nobody's transaction. A turn is whoever was rung longest ago. That
nobody else rings the same person meanwhile, whoever asks makes sure of (`crm.held_users`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from core import clock
from crm import callers, calls, held_users
from crm.happening import Happening
from crm.own_numbers import own_numbers
from crm.workspace import WorkspaceSettings
from models.call import Call
from models.company import Company
from models.contact import Contact
from models.deal import Deal
from models.lead import OPEN, Lead, LeadStatus
from models.source import Channel, Source
from models.user import Team, TeamMember, User
from models.workspace import Territory
from rules import calendars, facts, surroundings
from rules.assignment.candidates import absent
from rules.assignment.strategies import of_territory
from rules.assignment.wish import Wish
from rules.ruleset import active
from rules.sight import Sight
from rules.step import CourseStep

# Nobody is held to be on the telephone for longer on the word of one event.
_LONGEST = timedelta(hours=2)
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who rings: the call in its provider's words, and the number as it came."""

    source_id: int
    group_id: str
    number: str | None
    country: str
    #: Whether the provider can ring an extension where a user has no number.
    extensions: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """Who is rung, and why; the ways that led to nobody are named before. `user`: None where nobody is."""

    user: User | None
    why: str
    by: str = "nobody"


class Reception:
    """One look at who is there. `rung` tells when users were rung, which the database may not know yet;
    `taken` who has been held for another call since the last look."""

    def __init__(
        self,
        session: Session,
        caller: Caller,
        here: WorkspaceSettings,
        rung: Mapping[int, datetime],
        taken: frozenset[int] = frozenset(),
    ) -> None:
        self._session = session
        self._caller = caller
        self._here = here
        self._rung = rung
        self._taken = taken
        self._passed: list[str] = []

    def choose(self, others: Sequence[str]) -> Choice:
        """The client's owner if they are there, else whom the rules want, else `others`: teams by turn, by
        their keys, and users by their addresses."""
        client = self._known()
        if client is not None and client.owner is not None:
            if (why_not := self._why_not(client.owner, None)) is None:
                return Choice(client.owner, "has this client", "owner")
            self._passed.append(f"{client.owner.name}, who has this client: {why_not}")
        is_open = isinstance(client, Lead) and client.status in OPEN
        for rule, wish, seen in self._wishes(client if isinstance(client, Lead) and is_open else None):
            if (found := self._wished(wish, seen)) is not None:
                return Choice(found, self._because(f"the rule “{rule}”, {wish.words}"), "rule")
        for to in others:
            wish = Wish(user=to) if "@" in to else Wish(team=to)
            if (found := self._wished(wish, {})) is not None:
                return Choice(found, self._because("named by us" if wish.user else f"turn in {to}"), "team")
        return Choice(None, self._because("nobody can be reached"))

    def _because(self, words: str) -> str:
        return "; ".join([words, *self._passed])[:1000]

    def _known(self) -> Lead | Deal | Contact | None:
        number = calls.e164(self._caller.number, self._caller.country)
        found = callers.known(self._session, number, own=own_numbers(self._session, self._here.country))
        return None if isinstance(found, Company) else found

    def _wishes(self, lead: Lead | None) -> Iterator[tuple[str, Wish, Mapping[str, Any]]]:
        """What rules would do with the lead, or the one that this call will make; the last word first."""
        source = self._session.get_one(Source, self._caller.source_id)
        number = calls.e164(self._caller.number, self._caller.country)
        call = Call(source=source, direction="inbound", from_number=number)
        triggers = ["call.started"] if lead is not None else ["call.started", "lead.created"]
        lead = lead or _imagined(source, number)
        around = surroundings.around(self._session, lead, self._here)
        ruleset = active(self._session)
        for trigger in triggers:
            matcher = ruleset.matchers.get(trigger) if ruleset is not None else None
            if matcher is None:
                continue
            told = facts.of(Happening(trigger, lead, call=call), self._here)
            seen = Sight(told, around)
            matching = [matcher.rules[place] for place in matcher.candidates(seen)]
            for rule in reversed(matching):
                if rule.active and (rule.condition is None or rule.condition.evaluate(seen)[0]):
                    found = None
                    for step in rule.steps:
                        if isinstance(step.step, CourseStep):
                            break
                        found = step.settings if isinstance(step.settings, Wish) else found
                    if found is not None:
                        yield rule.name, found, told

    def _wished(self, wish: Wish, told: Mapping[str, Any]) -> User | None:
        for asked in wish.chain():
            if (one := self._of_territory(asked, told)) is None:
                continue
            team = one.team or one.offer
            if team is not None and (found := self._turn(team, one.skill)) is not None:
                return found
            if one.user is not None:
                named = self._session.scalars(select(User).where(User.email == one.user.lower())).first()
                if named is None:
                    continue
                if (why_not := self._why_not(named, None)) is None:
                    return named
                self._passed.append(f"{named.name}: {why_not}")
        return None

    def _of_territory(self, wish: Wish, told: Mapping[str, Any]) -> Wish | None:
        """Who has the caller's territory, where the wish is for that; None where nobody has."""
        if wish.territory is None:
            return wish
        table = self._session.get(Territory, wish.territory)
        if table is None:
            return None
        found, words = of_territory(table, wish, told)
        self._passed.append(words)
        return found

    def _turn(self, team: str, skill: str | None) -> User | None:
        members = self._session.execute(
            select(User, Team.calendar)
            .join(TeamMember, TeamMember.user_id == User.id)
            .join(Team, Team.id == TeamMember.team_id)
            .where(Team.key == team, Team.active)
            .order_by(TeamMember.position)
        ).all()
        able = []
        for user, calendar in members:
            lacking = f"has not the skill {skill}" if skill is not None and skill not in user.skills else None
            if (why_not := lacking or self._why_not(user, calendar)) is None:
                able.append(user)
            elif len(self._passed) < 20:
                self._passed.append(f"{user.name}: {why_not}")
        last = self._last_rung([user.id for user in able]) if len(able) > 1 else {}
        return min(able, key=lambda user: last.get(user.id, _LONG_AGO), default=None)

    def _last_rung(self, user_ids: Sequence[int]) -> dict[int, datetime]:
        rows = self._session.execute(
            select(Call.rung_user_id, func.max(Call.rung_at))
            .where(Call.rung_user_id.in_(user_ids))
            .group_by(Call.rung_user_id)
        )
        known = {user_id: at for user_id, at in rows if user_id is not None and at is not None}
        return {i: max(known.get(i, _LONG_AGO), self._rung.get(i, _LONG_AGO)) for i in user_ids}

    def _why_not(self, user: User, team_calendar: str | None) -> str | None:
        if not user.active:
            return "has left"
        if not (user.phone or (self._caller.extensions and user.extension)):
            return "has no telephone"
        now = clock.now()
        if (away := absent(user, now.astimezone(self._here.zone).date())) is not None:
            return away
        key = user.calendar or team_calendar or self._calendar_of_a_team(user)
        calendar = calendars.named(self._session, key, self._here.zone) if key is not None else None
        if calendar is not None and not calendar.is_open(now):
            return "not at work now"
        return "on the telephone" if user.id in self._talking or user.id in self._taken else None

    def _calendar_of_a_team(self, user: User) -> str | None:
        return self._session.scalar(
            select(Team.calendar)
            .join(TeamMember, TeamMember.team_id == Team.id)
            .where(TeamMember.user_id == user.id, Team.active, Team.calendar.is_not(None))
            .order_by(Team.id)
            .limit(1)
        )

    @cached_property
    def _talking(self) -> frozenset[int | None]:
        """Who is on the telephone, or is being rung, for another call."""
        rows = self._session.execute(
            select(Call.user_id, Call.rung_user_id).where(
                Call.result.is_(None),
                Call.heard_at > clock.now() - _LONGEST,
                or_(Call.source_id != self._caller.source_id, Call.group_id != self._caller.group_id),
            )
        )
        caller = self._caller
        held = held_users.held(self._session, source_id=caller.source_id, group_id=caller.group_id)
        return frozenset(row.user_id or row.rung_user_id for row in rows) | held


def _imagined(source: Source, number: str | None) -> Lead:
    """The lead that an unknown caller will be, as far as rules can see it now. Never stored."""
    now = clock.now()
    return Lead(
        id=0,
        title=f"Call from {number or 'a withheld number'}",
        status=LeadStatus.NEW,
        channel=Channel.CALL,
        source=source,
        person_id=0,
        name="",
        phone=number,
        message="",
        score=0,
        tags=[],
        fields={},
        attribution={},
        created_at=now,
    )
