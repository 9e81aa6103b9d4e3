"""Leads that are offered: whoever accepts first has it."""

from __future__ import annotations

from datetime import datetime

from flask import Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import func, select

from api import auth
from api.body import Line
from api.leads import Lead, existing
from api.parameters import RowPath
from api.resource import answer, group, refused
from core import db
from core.errors import NotFound
from core.ids import new_id
from crm import workspace
from models.offer import Offer as OfferRow
from models.offer import OfferState
from models.user import User
from rules import engine
from rules.assignment import ladder

resource = group("offers", "Leads that several are asked to take")


class Acceptance(BaseModel):
    """Who takes the lead."""

    model_config = ConfigDict(extra="forbid")

    user: Line = Field(min_length=3, description="E-mail address of one of those it was offered to")


class Offer(BaseModel):
    """A lead, offered to one user."""

    user: str
    state: OfferState
    offered_at: datetime
    expires_at: datetime


class Offers(BaseModel):
    """To whom a lead was offered."""

    items: list[Offer]


@resource.get("/leads/<row:id>/offers", responses={200: Offers, **refused(404)})
def list_offers(path: RowPath) -> Response:
    """To whom the lead is and was offered, the last first."""
    with db.reading() as session:
        lead = existing(session, path.id)
        rows = session.execute(
            select(OfferRow, User.email)
            .join(User, User.id == OfferRow.user_id)
            .where(OfferRow.lead_id == lead.id)
            .order_by(OfferRow.id.desc())
            .limit(200)
        ).all()
    items = [
        Offer(
            user=row.email,
            state=row.Offer.state,
            offered_at=row.Offer.offered_at,
            expires_at=row.Offer.expires_at,
        )
        for row in rows
    ]
    return answer(Offers(items=items))


@resource.post("/leads/<row:id>/accept", responses={200: Lead, **refused(400, 404, 409, 413, 415)})
def accept_lead(path: RowPath, body: Acceptance) -> Response:
    """Takes a lead that is offered; of two who accept at once, one has it."""
    with db.unit_of_work() as session:
        lead = existing(session, path.id, lock=True)
        user = session.scalars(select(User).where(func.lower(User.email) == body.user.lower())).one_or_none()
        if user is None or not user.active:
            raise NotFound(f"there is no user '{body.user}'")
        happened = ladder.accept(session, lead, user, actor=auth.caller().actor)
        engine.react(session, happened, workspace=workspace.load(session), event_id=new_id())
        session.flush()
        made = Lead.of(lead)
    return answer(made)
