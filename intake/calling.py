"""Orders a call: checks who calls whom over which line, and writes it down for a worker to place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import Conflict, Invalid, NotAllowed, Unavailable
from core.settings import settings
from crm import activities, call_orders, callers, timeline, workspace
from crm import calls as call_log
from crm.call_outcomes import Called
from crm.contact_points import phone_number
from crm.own_numbers import own_numbers
from crm.standing import standing
from intake import pipeline
from intake.calls import LineSettings
from intake.calls.dialling import DIALLERS, Dialler
from models.activity import Activity, ActivityState
from models.call_order import CallOrder
from models.contact import Contact
from models.deal import Deal
from models.lead import Lead
from models.source import Channel, Source
from models.user import Role, Team, TeamMember, User

_ALL = (Role.ADMIN, Role.MANAGER, Role.AGENT)


@dataclass(frozen=True, slots=True)
class Line:
    """A line that can place calls."""

    source: Source
    settings: LineSettings
    dialler: Dialler[Any]


def order(
    session: Session,
    *,
    agent: User,
    actor: str,
    element: Called | None = None,
    phone: str | None = None,
    line: str | None = None,
    activity_id: int | None = None,
) -> CallOrder:
    """Orders a call from this agent's telephone to the number, else to the lead's, deal's or contact's.

    Of a contact, and of a number alone, it is about what is open for them: the lead, else the deal, else the
    contact. `line` is a line's key; without it, the lead's own where it can place calls, else one of a team
    of the agent's, else the first. The activity, else the next planned call, is what the call is made for.
    The caller holds the element's row. Raises Invalid naming what is wrong, Conflict where the agent or the
    client is being called already.
    """
    if isinstance(element, Lead | Contact) and element.merged_into_id is not None:
        kind = element.__tablename__
        raise Conflict(f"the {kind} is part of {kind} {element.merged_into_id} now")
    here = workspace.load(session)
    number = _number(session, element, phone, here.country)
    own = own_numbers(session, here.country)
    if element is None:
        found = callers.standing_at(session, number, own=own)
        element = found.element or callers.open_lead(session, number, own=own, held=True)
    elif isinstance(element, Contact) and element.person_id is not None:
        element = standing(session, element.person_id).element or element
    # Two clicks of one agent wait for each other here.
    session.get_one(User, agent.id, with_for_update=True, populate_existing=True)
    if not agent.active or agent.role not in _ALL:
        raise Invalid("the call cannot be placed", {"agent": f"{agent.name} may not place calls"})
    chosen = _line(session, line, element, agent)
    if agent.phone is None and not (chosen.dialler.by_extension and agent.extension):
        raise Invalid(
            "the call cannot be placed", {"agent": f"{agent.name} has no `phone` that could be called first"}
        )
    if agent.phone == number:
        raise Invalid("the call cannot be placed", {"phone": "is the agent's own telephone"})
    _not_twice(session, agent, number, element)
    activity = _activity(session, element, activity_id)
    from_number = next(iter(chosen.settings.numbers), None)
    update = call_orders.new_update(agent=agent, client_number=number, line_number=from_number)
    provider = str(chosen.source.settings["provider"])
    call = call_log.merge(session, update, source=chosen.source, provider=provider, country=here.country).call
    call.user_id = agent.id
    if element is not None:
        call_log.place(call, element)
    made = call_orders.place(
        session,
        call,
        agent=agent,
        client_number=number,
        line_number=from_number,
        activity_id=activity.id if activity else None,
        actor=actor,
    )
    if element is not None:
        words = f"{agent.name} calls {number}"
        timeline.record(
            session, element, kind="call_ordered", summary=words, actor=actor, data={"order": made.id}
        )
    return made


def may_place(session: Session, user: User) -> bool:
    """Whether this user may call, and any line can place calls."""
    return user.role in _ALL and any(trouble(session, source) is None for source in _lines(session))


def may_call(user: User) -> None:
    """Raises NotAllowed for a user who may not call anybody."""
    if user.role not in _ALL:
        raise NotAllowed("you may look at calls, but not make them")


def address(key: str, provider: str) -> str:
    """Our own address for a line's events."""
    return f"{settings().address}/in/calls/{provider}/{key}"


def _number(session: Session, element: Called | None, phone: str | None, country: str) -> str:
    at = element.contact if isinstance(element, Deal) else element
    written = phone or (at.phone if at else None)
    if not written:
        kind = at.__tablename__ if at else "deal"
        raise Invalid("the call cannot be placed", {"phone": f"the {kind} has no telephone number"})
    number = phone_number(written, country)
    if number is None:
        raise Invalid("the call cannot be placed", {"phone": f"'{written}' is no number that can be called"})
    if number in own_numbers(session, country).lines:
        raise Invalid("the call cannot be placed", {"phone": f"{number} is one of our own lines"})
    return number


def _not_twice(session: Session, agent: User, number: str, element: Called | None) -> None:
    other = call_orders.under_way(session, agent=agent, client_number=number, element=element)
    if other is None:
        return
    if other.user_id == agent.id:
        raise Conflict(f"{agent.name}'s telephone is being called already, for {other.client_number}")
    raise Conflict(f"{other.user.name} is calling {other.client_number} just now")


def _activity(session: Session, element: Called | None, activity_id: int | None) -> Activity | None:
    if activity_id is None:
        return activities.planned(session, element, type="call") if element else None
    found = session.get(Activity, activity_id)
    if found is None or element is None or not activities.is_on(found, element):
        kind = element.__tablename__ if element else "caller"
        raise Invalid("the call cannot be placed", {"activity": f"is none of this {kind}'s"})
    if found.state is not ActivityState.PLANNED:
        raise Conflict(f"the activity is {found.state.value}")
    return found


def _lines(session: Session) -> list[Source]:
    chosen = select(Source).where(Source.channel == Channel.CALL, Source.active).order_by(Source.key)
    return list(session.scalars(chosen))


def _line(session: Session, key: str | None, element: Called | None, agent: User) -> Line:
    known = _lines(session)
    if key is not None:
        source = next((s for s in known if s.key == key), None)
        if source is None:
            raise Invalid("the call cannot be placed", {"line": f"there is no line '{key}'"})
        if (why := trouble(session, source)) is not None:
            raise Invalid("the call cannot be placed", {"line": f"'{key}' places no calls: {why}"})
        return _opened(session, source)
    troubles = {s.key: trouble(session, s) for s in known}
    able = [s for s in known if troubles[s.key] is None]
    if not able:
        words = "; ".join(f"'{key}': {why}" for key, why in troubles.items()) or "there is none"
        raise Invalid("the call cannot be placed", {"line": f"no line places calls: {words}"})
    teams = _teams(session, agent)
    own = element.source_id if isinstance(element, Lead) else None
    return _opened(
        session, min(able, key=lambda s: (s.id != own, s.settings.get("team") not in teams, s.key))
    )


def _teams(session: Session, agent: User) -> set[str]:
    chosen = select(Team.key).join(TeamMember, TeamMember.team_id == Team.id)
    return set(session.scalars(chosen.where(TeamMember.user_id == agent.id)))


def trouble(session: Session, source: Source) -> str | None:
    """Why the line places no calls; None where it does."""
    provider = str(source.settings.get("provider"))
    dialler = DIALLERS.get(provider)
    if dialler is None:
        return f"calls cannot be placed with {provider}"
    try:
        _, line = pipeline.line_of(session, source)
    except (Unavailable, ValidationError) as error:
        return str(error)
    return dialler.trouble(line, address(source.key, provider))


def _opened(session: Session, source: Source) -> Line:
    _, line = pipeline.line_of(session, source)
    return Line(source, line, DIALLERS[line.provider])
