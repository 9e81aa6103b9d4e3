"""By what rows are set out: the expression, and the joins that it needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Select
from sqlalchemy.orm import Session

from crm.reports import sql
from crm.reports.asked import Asked
from crm.reports.sql import Moments
from models.activity import Activity
from models.deal import Deal
from models.lead import Lead, LeadStatus
from models.source import Source
from models.user import TeamMember

#: The name under which the dimension stands in a select, which groups by it.
KEY = "dimension"
TIMES = ("day", "week", "month")


def leads(session: Session, asked: Asked, chosen: Select[Any]) -> tuple[Any, Select[Any]]:
    """Of leads that came in the asked days."""
    chosen = chosen.select_from(Lead).where(
        asked.within(Lead.created_at), Lead.status != LeadStatus.MERGED, *asked.of_owner(Lead.owner_id)
    )
    if asked.source_ids is not None:
        chosen = chosen.where(Lead.source_id.in_(asked.source_ids))
    if asked.channel is not None:
        chosen = chosen.where(Lead.channel == asked.channel)
    if asked.by in TIMES:
        return sql.bucket(session, Lead.created_at, asked), chosen
    if asked.by == "team":
        return TeamMember.team_id, chosen.outerjoin(TeamMember, TeamMember.user_id == Lead.owner_id)
    by = {
        "source": Lead.source_id,
        "channel": Lead.channel,
        "owner": Lead.owner_id,
        "campaign": Lead.campaign,
    }
    return by[asked.by], chosen


def deals(session: Session, asked: Asked, chosen: Select[Any], at: Moments) -> tuple[Any, Select[Any]]:
    """Of deals of which a moment of theirs lies in the asked days."""
    chosen = chosen.select_from(Deal).where(asked.within(at), *asked.of_owner(Deal.owner_id))
    if asked.source_ids is not None:
        chosen = chosen.where(Deal.source_id.in_(asked.source_ids))
    if asked.channel is not None or asked.by == "channel":
        chosen = chosen.outerjoin(Source, Source.id == Deal.source_id)
    if asked.channel is not None:
        chosen = chosen.where(Source.channel == asked.channel)
    if asked.by in TIMES:
        return sql.bucket(session, at, asked), chosen
    if asked.by == "team":
        return TeamMember.team_id, chosen.outerjoin(TeamMember, TeamMember.user_id == Deal.owner_id)
    if asked.by == "campaign":
        return Lead.campaign, chosen.outerjoin(Lead, Lead.id == Deal.lead_id)
    return {"source": Deal.source_id, "channel": Source.channel, "owner": Deal.owner_id}[asked.by], chosen


def activities(session: Session, asked: Asked, chosen: Select[Any]) -> tuple[Any, Select[Any]]:
    """Of activities that were to be done in the asked days."""
    chosen = chosen.select_from(Activity).where(
        asked.within(Activity.due_at), *asked.of_owner(Activity.owner_id)
    )
    if asked.by in TIMES:
        return sql.bucket(session, Activity.due_at, asked), chosen
    if asked.by == "team":
        return TeamMember.team_id, chosen.outerjoin(TeamMember, TeamMember.user_id == Activity.owner_id)
    return {"type": Activity.type, "outcome": Activity.outcome, "owner": Activity.owner_id}[asked.by], chosen


def order(by: str) -> Callable[[tuple[Any, tuple[Any, ...]]], Any]:
    """The order of rows: days as they come, all else by number, most first, and then by key."""
    if by in TIMES:
        return lambda item: str(item[0])
    return lambda item: (-item[1][0], str(item[0]))
