"""An agent takes a call that rings: it has its lead at once, to be read and written in while they speak."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core.errors import Conflict
from core.ids import new_id
from crm import callers, calls, leads, workspace
from crm.capture import capture
from crm.happening import Happening
from crm.own_numbers import own_numbers
from models.call import Call
from models.lead import Lead
from models.user import User
from rules import engine


def take(session: Session, call: Call, user: User, *, actor: str) -> Lead:
    """The call's lead: the client's open one, or one made now. It is the user's where nobody has it.

    What the call becomes is told on it when it ends, as for any other. Raises Conflict for a call that is no
    enquiry: one of ours, or of a colleague.
    """
    call = calls.held(session, call)
    here = workspace.load(session)
    own = own_numbers(session, here.country)
    event_id = new_id()
    happenings: list[Happening] = []
    lead = session.get(Lead, call.lead_id) if call.lead_id is not None else None
    lead = lead or callers.lead_of(session, call, own=own)
    if lead is None:
        enquiry = callers.enquiry_of(call, own=own)
        if enquiry is None:
            raise Conflict("this call is no enquiry of anybody's")
        country = call.source.settings.get("country") or here.country
        taken = capture(session, enquiry, source=call.source, event_id=event_id, country=country)
        lead = taken.lead
        happenings += taken.happenings
    is_new = bool(happenings)
    call.lead_id = lead.id
    if not call.start_told:
        call.start_told = True
        happenings.append(Happening("call.started", lead, call=call))
    engine.react(session, happenings, workspace=here, event_id=event_id)
    if is_new or lead.owner_id is None:
        given = leads.assign(session, lead, user, actor=actor, why="took the call")
        engine.react(session, given, workspace=here, event_id=event_id)
    return lead
