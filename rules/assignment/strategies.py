"""Whose turn it is. Each strategy answers with a person and says, in words, why, and who was passed over.

The turn is taken under a lock that lasts as long as the transaction, and given back with it: shares stay
exact however many leads come at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Table, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core.errors import Invalid
from core.rows import as_read, flush_any
from crm.workspace import WorkspaceSettings
from models.rule import Rotation
from models.user import User
from models.workspace import Territory
from rules import facts
from rules.assignment import candidates
from rules.assignment.candidates import Candidate
from rules.assignment.gift import Gift, facts_of
from rules.assignment.wish import Wish

_TURNS = cast(Table, Rotation.__table__)
# On the connection: it is on every enquiry's way.
_HELD = select(_TURNS).where(_TURNS.c.key == bindparam("this")).with_for_update()


@dataclass(frozen=True, slots=True)
class Choice:
    """The person chosen, if any, and why."""

    user: User | None
    why: str


def choose(session: Session, gift: Gift, wish: Wish, here: WorkspaceSettings) -> Choice:
    """The first person of the wish, or of what it says `otherwise`, who can have it now.

    Raises Invalid where what it names is not there any more.
    """
    passed: list[str] = []
    # Two rules may name the same teams in opposite orders: whoever needs several turns takes them in one.
    keys = {turn_key(one) for one in wish.chain() if one.team is not None}
    if len(keys) > 1:
        for key in sorted(keys):
            _turn(session, key)
    for one in wish.chain():
        if one.offer is not None:
            continue  # is not chosen but asked
        try:
            found = _one(session, gift, one, here)
        except Invalid as error:
            if one.otherwise is None:
                raise
            found = Choice(None, str(error))
        if found.user is not None:
            return Choice(found.user, "; ".join([*passed, found.why]))
        passed.append(found.why)
    return Choice(None, "; ".join(passed))


def _one(session: Session, gift: Gift, wish: Wish, here: WorkspaceSettings) -> Choice:
    if wish.sticky and (known := candidates.sticky(session, gift, here)) is not None:
        if known.why_not is None:
            return Choice(known.user, f"{known.user.name} had an earlier lead of this person")
        rest = _plain(session, gift, wish, here)
        said = f"{known.user.name}, who had an earlier lead of this person, {_is(known.why_not)}; {rest.why}"
        return Choice(rest.user, said)
    return _plain(session, gift, wish, here)


def _plain(session: Session, gift: Gift, wish: Wish, here: WorkspaceSettings) -> Choice:
    if wish.user is not None:
        return _named(session, wish.user, here)
    if wish.territory is not None:
        return _territory(session, gift, wish, here)
    return _team(session, wish, here)


def _named(session: Session, email: str, here: WorkspaceSettings) -> Choice:
    user = session.scalars(select(User).where(User.email == email.lower())).one_or_none()
    if user is None:
        raise Invalid(f"{email} is no user")
    found = candidates.of_user(session, user, here)
    if not user.active:
        raise Invalid(f"{email} has left")
    if found.why_not is not None:
        return Choice(None, f"{user.name} {_is(found.why_not)}")
    return Choice(user, "named by the rule")


def _territory(session: Session, gift: Gift, wish: Wish, here: WorkspaceSettings) -> Choice:
    table = session.get(Territory, wish.territory)
    if table is None:
        raise Invalid(f"there are no territories '{wish.territory}' any more")
    inner, said = of_territory(table, wish, facts_of(gift))
    if inner is None:
        return Choice(None, said)
    found = _plain(session, gift, inner, here)
    return Choice(found.user, f"{said}: {found.why}")


def of_territory(table: Territory, wish: Wish, seen: Mapping[str, Any]) -> tuple[Wish | None, str]:
    """Who has the territory that these facts name, as a wish, and which one it is, in words."""
    value = facts.look_up(seen, table.settings["by"])
    said = str(value).strip().casefold() if value not in (None, "") else ""
    named = {str(key).strip().casefold(): to for key, to in table.settings["table"].items()}
    to = named.get(said) or table.settings.get("default")
    if to is None:
        return None, f"no territory for {table.settings['by']} = {value!r}"
    inner = Wish(user=to, by=wish.by) if "@" in to else Wish(team=to, by=wish.by, load=wish.load)
    return inner, f"territory {value if said in named else 'of all others'}"


def _team(session: Session, wish: Wish, here: WorkspaceSettings) -> Choice:
    # The lock first, so that what is counted after it is what stands.
    turn = _turn(session, turn_key(wish))
    members = candidates.of_team(
        session,
        wish.team or "",
        here,
        skill=wish.skill,
        load=wish.load if wish.by == "least_loaded" else None,
    )
    return next_of(wish, turn, members)


def next_of(wish: Wish, turn: Rotation, members: Sequence[Candidate]) -> Choice:
    """Whose turn it is among a team's members; `turn` moves on.

    Raises Invalid where there are none.
    """
    team = wish.team or ""
    able = [c for c in members if c.why_not is None]
    skipped = ", ".join(f"{c.user.name}: {c.why_not}" for c in members if c.why_not is not None)
    if not members:
        raise Invalid(f"there is no team '{team}', or nobody is in it")
    if not able:
        return Choice(None, f"nobody of {team} can have it ({skipped})")
    chosen, why = _STRATEGIES[wish.by](turn, members, able, team)
    return Choice(chosen.user, why + (f" (skipped {skipped})" if skipped else ""))


def _round_robin(
    turn: Rotation, members: Sequence[Candidate], able: Sequence[Candidate], team: str
) -> tuple[Candidate, str]:
    order = [c.user.id for c in members]
    after = order.index(turn.last_user_id) + 1 if turn.last_user_id in order else 0
    chosen = next(c for c in [*members[after:], *members[:after]] if c.why_not is None)
    turn.last_user_id = chosen.user.id
    return chosen, f"round robin in {team}, {list(able).index(chosen) + 1} of {len(able)}"


def _weighted(
    turn: Rotation, members: Sequence[Candidate], able: Sequence[Candidate], team: str
) -> tuple[Candidate, str]:
    """Smooth weighted round robin (as in nginx): in every full round each has exactly their share."""
    weights = {c.user.id: c.user.weight for c in able if c.user.weight > 0}
    if not weights:
        weights = {c.user.id: 1 for c in able}
    total = sum(weights.values())
    # Bounded, so that nobody pays for long for weights or colleagues of another time.
    before = {user_id: turn.credits.get(str(user_id), 0) for user_id in weights}
    owed = {user_id: max(-total, min(total, before[user_id])) + weight for user_id, weight in weights.items()}
    chosen = max((c for c in able if c.user.id in weights), key=lambda c: owed[c.user.id])
    owed[chosen.user.id] -= total
    turn.credits = {**turn.credits, **{str(user_id): left for user_id, left in owed.items()}}
    turn.last_user_id = chosen.user.id
    return chosen, f"weighted in {team}: weight {weights[chosen.user.id]} of {total}"


def _least_loaded(
    turn: Rotation, members: Sequence[Candidate], able: Sequence[Candidate], team: str
) -> tuple[Candidate, str]:
    least = min(c.load for c in able)
    order = [c.user.id for c in members]
    after = order.index(turn.last_user_id) + 1 if turn.last_user_id in order else 0
    alike = [c for c in [*members[after:], *members[:after]] if c.why_not is None and c.load == least]
    turn.last_user_id = alike[0].user.id
    return alike[0], f"has least to do in {team}: {least}"


_Strategy = Callable[[Rotation, Sequence[Candidate], Sequence[Candidate], str], tuple[Candidate, str]]
_STRATEGIES: dict[str, _Strategy] = {
    "round_robin": _round_robin,
    "weighted": _weighted,
    "least_loaded": _least_loaded,
}


def turn_key(wish: Wish) -> str:
    """Which wishes share their turns."""
    return f"{wish.by}:{wish.team}" + (f":{wish.skill}" if wish.skill else "")


def _is(why_not: str) -> str:
    return why_not if why_not.startswith("has ") else f"is {why_not}"


def _turn(session: Session, key: str) -> Rotation:
    """Whose turn it is, locked."""
    flush_any(session, Rotation)
    connection = session.connection()
    found = connection.execute(_HELD, {"this": key}).one_or_none()
    if found is None:
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        connection.execute(
            dialect.insert(_TURNS).values(key=key, last_user_id=None, credits={}).on_conflict_do_nothing()
        )
        found = connection.execute(_HELD, {"this": key}).one()
    return as_read(session, Rotation, found._asdict())
