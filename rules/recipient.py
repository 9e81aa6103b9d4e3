"""Whom a message is for: `lead`, `owner`, `team.lead`, or an address."""

from __future__ import annotations

from sqlalchemy import select

from core.errors import Invalid
from crm.contact_points import email_address
from crm.reachability import LeftOut
from models.contact import Contact
from models.lead import Lead
from models.user import Team, TeamMember, User
from rules.step import Known, StepContext
from rules.vocabulary import nearest


class NotAgreed(LeftOut):
    """Marketing for somebody who was asked and did not agree, or was never asked: it is left out."""


#: `lead` is the person that it is about, also where that is a contact.
ROLES = ("lead", "owner", "team.lead")


def check_recipient(to: str, known: Known) -> None:
    """Raises Invalid for what is neither a role nor an e-mail address."""
    if to not in ROLES and email_address(to) is None:
        raise Invalid(f"'{to}' is nobody to send to{nearest(to, [*ROLES, *known.users])}")


def agreed(person: Lead | Contact | None) -> None:
    """Raises NotAgreed unless the lead's or the contact's person has agreed to be written to."""
    if person is None or not person.consent:
        raise NotAgreed("left out: they have not agreed to marketing")


def person_of(context: StepContext) -> Lead | Contact | None:
    """Whom it is about: the contact, also of a deal; else the lead."""
    return context.contact or context.came_from


def email_of(context: StepContext) -> str | None:
    """The e-mail address of whom it is about: the contact's, else the lead's."""
    return next((p.email for p in (context.contact, context.came_from) if p is not None and p.email), None)


def phone_of(context: StepContext) -> str | None:
    """The telephone number of whom it is about: the contact's, else the lead's."""
    return next((p.phone for p in (context.contact, context.came_from) if p is not None and p.phone), None)


def address_of(context: StepContext, to: str) -> str | None:
    """The e-mail address, None where the role is not filled."""
    if to == "lead":
        return email_of(context)
    owner = context.element.owner if context.element is not None else None
    if to == "owner":
        return owner.email if owner else None
    if to == "team.lead":
        return context.session.scalar(
            select(User.email)
            .join(Team, Team.lead_id == User.id)
            .join(TeamMember, TeamMember.team_id == Team.id)
            .where(TeamMember.user_id == (owner.id if owner else None), Team.active, User.active)
            .limit(1)
        )
    return to
