"""Whom a message is for: `lead`, `owner`, `team.lead`, or an address."""

from __future__ import annotations

from sqlalchemy import select

from core.errors import Invalid
from crm.contact_points import email_address
from crm.reachability import LeftOut
from models.lead import Lead
from models.user import Team, TeamMember, User
from rules.step import Known, StepContext
from rules.vocabulary import nearest


class NotAgreed(LeftOut):
    """Marketing for somebody who was asked and did not agree, or was never asked: it is left out."""


ROLES = ("lead", "owner", "team.lead")


def check_recipient(to: str, known: Known) -> None:
    """Raises Invalid for what is neither a role nor an e-mail address."""
    if to not in ROLES and email_address(to) is None:
        raise Invalid(f"'{to}' is nobody to send to{nearest(to, [*ROLES, *known.users])}")


def agreed(lead: Lead) -> None:
    """Raises NotAgreed unless the lead's person has agreed to be written to."""
    if not lead.consent:
        raise NotAgreed("left out: they have not agreed to marketing")


def address_of(context: StepContext, to: str) -> str | None:
    """The e-mail address, None where the role is not filled."""
    if to == "lead":
        return context.lead.email
    if to == "owner":
        return context.lead.owner.email if context.lead.owner else None
    if to == "team.lead":
        return context.session.scalar(
            select(User.email)
            .join(Team, Team.lead_id == User.id)
            .join(TeamMember, TeamMember.team_id == Team.id)
            .where(TeamMember.user_id == context.lead.owner_id, Team.active, User.active)
            .limit(1)
        )
    return to
