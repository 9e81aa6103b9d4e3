"""Never unassigned unseen: who gets what no rule gave away, offers, and the leads that wait for somebody."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from core.errors import Conflict, Invalid
from core.logs import logger
from crm import leads, owners, timeline
from crm.happening import Happening
from crm.workspace import WorkspaceSettings
from models.contact import Contact
from models.deal import Deal
from models.lead import OPEN, Lead
from models.offer import Offer, OfferState
from models.user import User
from rules import duration
from rules.assignment import candidates
from rules.assignment.strategies import Choice, choose
from rules.assignment.wish import Wish

log = logger(__name__)


def give(
    session: Session, lead: Lead, wish: Wish, here: WorkspaceSettings, *, actor: str
) -> tuple[str, list[Happening]]:
    """Gives the lead as wished, or offers it, or remembers the wish until somebody can have it.

    Answers with what was done, in words. Raises Invalid where what the wish names is not there.
    """
    if wish.offer is not None and (said := _offered(session, lead, wish, here, actor)):
        return said, []
    choice = choose(session, lead, wish, here)
    if choice.user is None:
        for after in wish.chain():
            if said := _offered(session, lead, after, here, actor):
                return f"{choice.why}; {said}" if choice.why else said, []
        lead.wish = wish.model_dump(mode="json", exclude_defaults=True)
        _wait(session, lead, choice.why or f"nobody of {wish.offer} can have it", actor)
        return f"Waits for an owner: {choice.why}", []
    lead.wish = None
    happened = leads.assign(session, lead, choice.user, actor=actor, why=choice.why)
    return f"Assigned to {choice.user.name}: {choice.why}", happened


def give_other(
    session: Session, element: Deal | Contact, wish: Wish, here: WorkspaceSettings, *, actor: str
) -> str:
    """Gives a deal or a contact as wished, else, where nobody has it, to the catch-all.

    It does not wait for anybody: whoever has it keeps it. Answers with what was done, in words. Raises
    Invalid where nobody can have it and nobody has it, and where what the wish names is not there.
    """
    choice = choose(session, element, wish, here)
    if choice.user is None and element.owner is None and (to := here.catch_all) is not None:
        caught = choose(session, element, Wish(user=to) if "@" in to else Wish(team=to), here)
        choice = Choice(caught.user, f"{choice.why}; {caught.why}")
    if choice.user is None:
        if element.owner is None:
            raise Invalid(f"nobody can have it now: {choice.why}")
        return f"{element.owner.name} keeps it: {choice.why}"
    if not owners.give(session, element, choice.user, actor=actor, why=choice.why):
        return f"{choice.user.name} had it: {choice.why}"
    return f"Assigned to {choice.user.name}: {choice.why}"


def catch(session: Session, lead: Lead, here: WorkspaceSettings) -> list[Happening]:
    """Gives a lead that has no owner to whom a rule wanted, its source's team, or the catch-all.

    Where none of them can have it, it goes on waiting; its timeline says so once.
    """
    if lead.owner_id is not None or not leads.waits_for_owner(lead) or open_offer(session, lead):
        return []
    wishes = [Wish.model_validate(lead.wish)] if lead.wish else []
    if (team := lead.source.settings.get("team")) is not None:
        wishes.append(Wish(team=team))
    if here.catch_all is not None:
        to = here.catch_all
        wishes.append(Wish(user=to) if "@" in to else Wish(team=to))
    passed: list[str] = []
    for wish in wishes:
        try:
            choice = choose(session, lead, wish, here)
        except Invalid as error:
            choice = Choice(None, str(error))
        if choice.user is not None:
            why = "; ".join(["no rule assigned it" if not lead.wish else "it waited", *passed, choice.why])
            lead.wish = None
            return leads.assign(session, lead, choice.user, actor=timeline.SERVICE, why=why)
        if any(_offered(session, lead, one, here, timeline.SERVICE) for one in wish.chain()):
            return []
        passed.append(choice.why or f"nobody of {wish.offer} can have it")
    if wishes:
        _wait(session, lead, "; ".join(passed), timeline.SERVICE)
    return []


def accept(session: Session, lead: Lead, user: User, *, actor: str) -> list[Happening]:
    """Takes a lead that was offered. The caller holds the lead's row: of two who accept, one has it.

    Raises Conflict where it was not offered to this user, or is not any more.
    """
    offer = session.scalars(
        select(Offer)
        .where(Offer.lead_id == lead.id, Offer.user_id == user.id)
        .order_by(Offer.id.desc())
        .limit(1)
    ).first()
    if offer is None:
        raise Conflict(f"the lead was not offered to {user.email}")
    if lead.status not in OPEN:
        raise Conflict(f"the lead is {lead.status.value} by now")
    if lead.owner_id is not None and lead.owner_id != user.id:
        raise Conflict(
            f"the lead is not offered any more: {lead.owner.name if lead.owner else 'somebody'} has it"
        )
    if offer.state is not OfferState.OPEN or offer.expires_at <= clock.now():
        taken = f"{lead.owner.name} has it" if lead.owner else "the offer has ended"
        raise Conflict(f"the lead is not offered any more: {taken}")
    _close(session, lead, OfferState.WITHDRAWN)
    offer.state = OfferState.TAKEN
    return leads.assign(session, lead, user, actor=actor, why="the first to accept")


def expire(session: Session, lead: Lead, here: WorkspaceSettings) -> list[Happening]:
    """Ends the offers of a lead that nobody accepted in time, and gives it to whoever comes then."""
    offer = session.scalars(
        select(Offer).where(Offer.lead_id == lead.id, Offer.state == OfferState.OPEN).limit(1)
    ).first()
    if offer is None or (offer.expires_at > clock.now() and lead.owner_id is None and lead.status in OPEN):
        return []
    if lead.owner_id is not None or lead.status not in OPEN:
        _close(session, lead, OfferState.WITHDRAWN)  # it was given away, or closed, meanwhile
        return []
    _close(session, lead, OfferState.EXPIRED)
    timeline.record(session, lead, kind="offered", summary="Nobody accepted it in time")
    session.flush()
    return catch(session, lead, here)


def open_offer(session: Session, lead: Lead) -> bool:
    """Whether the lead is offered just now."""
    chosen = select(Offer.id).where(Offer.lead_id == lead.id, Offer.state == OfferState.OPEN).limit(1)
    return session.scalar(chosen) is not None


def alarm(session: Session, lead: Lead, after: timedelta) -> list[Happening]:
    """Tells, once, that a lead has waited too long for an owner."""
    now = clock.now()
    if lead.owner_id is not None or lead.alarmed_at is not None or lead.created_at > now - after:
        return []
    lead.alarmed_at = now
    minutes = round((now - lead.created_at).total_seconds() / 60)
    words = f"Nobody has it after {minutes} minutes"
    timeline.record(session, lead, kind="alarm", summary=words, data={"minutes": minutes})
    log.warning("lead.without_owner", lead_id=lead.id, minutes=minutes)
    return [Happening("lead.unassigned", lead, {"minutes": minutes})]


def _offered(session: Session, lead: Lead, wish: Wish, here: WorkspaceSettings, actor: str) -> str:
    """Offers the lead where the wish is an offer and somebody can have it; says so in words, else nothing."""
    if wish.offer is None or not (asked := _offer(session, lead, wish, here)):
        return ""
    names = ", ".join(user.name for user in asked)
    lead.waits = False
    timeline.record(session, lead, kind="offered", summary=f"Offered to {names}", actor=actor)
    return f"Offered to {names} for {wish.within}"


def _offer(session: Session, lead: Lead, wish: Wish, here: WorkspaceSettings) -> list[User]:
    found = candidates.of_team(session, wish.offer or "", here, skill=wish.skill)
    able = [c.user for c in found if c.why_not is None]
    now = clock.now()
    expires_at = now + duration.parse(wish.within).length
    for user in able:
        session.add(
            Offer(
                lead_id=lead.id, user_id=user.id, state=OfferState.OPEN, offered_at=now, expires_at=expires_at
            )
        )
    if able:
        after = wish.otherwise or Wish(team=wish.offer, skill=wish.skill)
        lead.wish = after.model_dump(mode="json", exclude_defaults=True)
        session.flush()
    return able


def _close(session: Session, lead: Lead, state: OfferState) -> None:
    chosen = select(Offer).where(Offer.lead_id == lead.id, Offer.state == OfferState.OPEN)
    for offer in session.scalars(chosen):
        offer.state = state


def _wait(session: Session, lead: Lead, why: str, actor: str) -> None:
    if lead.waits:
        return
    lead.waits = True
    timeline.record(session, lead, kind="waiting", summary=f"Waits for an owner: {why}", actor=actor)
