"""Calls that are placed from here, and what came of them."""

from __future__ import annotations

from typing import Annotated, Literal

from flask import Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api import auth
from api.body import IdempotencyHeader, Line, Text
from api.calls import WITH, Call, resource
from api.elements import existing
from api.parameters import RowId, RowPath
from api.resource import answer, refused
from core import db
from core.errors import Conflict, Invalid, NotFound
from core.ids import digest, keyed, new_id
from core.settings import settings
from crm import call_outcomes, workspace
from crm.call_outcomes import Called
from intake import calling
from models.call import Call as CallRow
from models.call_order import CallOrder
from models.contact import Contact
from models.deal import Deal
from models.lead import Lead
from models.user import User
from rules import engine

_TABLES: dict[str, type[Lead | Deal | Contact]] = {"lead": Lead, "deal": Deal, "contact": Contact}


class NewCall(BaseModel):
    """Whom to call; one of `lead`, `deal`, `contact`, or else a `phone`, is needed."""

    model_config = ConfigDict(extra="forbid")

    lead: RowId | None = Field(None, description="The lead whose number is called, and whose call it is")
    deal: RowId | None = Field(None, description="The deal whose contact is called, and whose call it is")
    contact: RowId | None = Field(
        None, description="The contact who is called; it is the call of what is open for them, else theirs"
    )
    phone: Line | None = Field(
        None, description="The number, in E.164 or as dialled in the workspace's country; else theirs"
    )
    agent: Line | None = Field(
        None, description="E-mail address of the user whose telephone rings first; else the owner"
    )
    line: Line | None = Field(None, description="Key of the line to call over; else one that can")
    activity: RowId | None = Field(None, description="The planned call it is made for; else the lead's next")


@resource.post("/calls", responses={202: Call, **refused(400, 404, 409, 413, 415)})
def place_call(header: IdempotencyHeader, body: NewCall) -> Response:
    """Rings the agent's telephone, and then the client's. What becomes of it is told by the call."""
    given = [kind for kind in _TABLES if getattr(body, kind) is not None]
    if not given and not body.phone:
        raise Invalid("some values are not acceptable", {"/lead": "lead, deal, contact or phone is needed"})
    if len(given) > 1:
        raise Invalid("some values are not acceptable", {f"/{given[1]}": f"{given[0]} is given already"})
    caller = auth.caller()
    key = digest("call", caller.actor, header.key) if header.key else None
    content = keyed(body.model_dump())
    with db.unit_of_work() as session:
        element = _called(session, body, given[0]) if given else None
        order = _standing(session, key, content) if key else None
        if order is None:
            agent = _agent(session, body.agent, element)
            try:
                order = calling.order(
                    session,
                    agent=agent,
                    actor=caller.actor,
                    element=element,
                    phone=body.phone,
                    line=body.line,
                    activity_id=body.activity,
                )
            except Invalid as error:
                fields = {f"/{name}": words for name, words in error.fields.items()}
                raise Invalid(str(error), fields) from None
            order.request_key, order.request_content = key, content
            session.flush()
        made = Call.of(_shown(session, order.call_id))
    return answer(made, 202, location=f"{settings().address}/api/v1/calls/{made.id}")


class CallOutcome(BaseModel):
    """What came of a call, in the agent's word."""

    model_config = ConfigDict(extra="forbid")

    outcome: Literal[call_outcomes.OUTCOMES]  # type: ignore[valid-type]
    note: Annotated[Text, Field(max_length=2000)] = ""


@resource.post("/calls/<row:id>/outcome", responses={200: Call, **refused(400, 404, 409, 413, 415)})
def pick_outcome(path: RowPath, body: CallOutcome) -> Response:
    """Says what came of a call that was placed here; the planned call it was made for gets it too."""
    with db.unit_of_work() as session:
        row = _shown(session, path.id)
        if row.order is None:
            raise Conflict("the call was not placed from here")
        if (element := call_outcomes.about_whom(session, row)) is None:
            raise Conflict("the call belongs to nobody whom we know")
        order = session.get_one(CallOrder, row.order.id, with_for_update=True, populate_existing=True)
        happened = call_outcomes.pick(
            session, order, element, outcome=body.outcome, note=body.note, actor=auth.caller().actor
        )
        engine.react(session, happened, workspace=workspace.load(session), event_id=new_id())
        made = Call.of(_shown(session, path.id))
    return answer(made)


def _shown(session: Session, call_id: int) -> CallRow:
    row = session.get(CallRow, call_id, options=WITH, populate_existing=True)
    if row is None:
        raise NotFound("there is no such call")
    return row


def _standing(session: Session, key: str, content: str) -> CallOrder | None:
    found = session.scalars(select(CallOrder).where(CallOrder.request_key == key)).one_or_none()
    if found is not None and found.request_content != content:
        raise Invalid("some values are not acceptable", {"Idempotency-Key": "was used with another body"})
    return found


def _called(session: Session, body: NewCall, kind: str) -> Called:
    return existing(session, _TABLES[kind], getattr(body, kind), lock=True)


def _agent(session: Session, address: str | None, element: Called | None) -> User:
    if address is not None:
        chosen = select(User).where(func.lower(User.email) == address.lower(), User.active)
        found = session.scalars(chosen).one_or_none()
        if found is None:
            raise Invalid("some values are not acceptable", {"/agent": "there is no such user"})
        return found
    if element is None or element.owner is None:
        raise Invalid("some values are not acceptable", {"/agent": "say whose telephone is to ring first"})
    return element.owner
