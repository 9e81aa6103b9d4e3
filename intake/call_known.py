"""A call of a contact who has no open lead: on the timeline of their open deal, else on their own.

Whoever is known makes no new lead by calling. A missed call is called back by whoever has the deal, or the
contact; the line may say that it makes a lead all the same.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from crm import activities, call_orders, call_outcomes, callers
from crm import calls as call_log
from crm.call_view import MISSED
from crm.calls import Merged
from crm.happening import Happening, about
from crm.own_numbers import OwnNumbers
from intake import call_back
from intake.passage import Passage
from models.call import Call, CallResult
from models.call_order import CallOrder
from models.contact import Contact
from models.deal import Deal
from models.lead import Lead


def belongs_to(passage: Passage, call: Call, own: OwnNumbers) -> Deal | Contact | None:
    """The deal or the contact; None for a call that has a lead, or makes one."""
    session = passage.session
    if call.lead_id is not None:
        return None
    if call.deal_id is not None:
        return session.get(Deal, call.deal_id)
    if call.contact_id is not None:
        return session.get(Contact, call.contact_id)
    missed = call.direction == "inbound" and call.result in MISSED
    found = callers.standing_of(session, call, own=own)
    if found.lead is not None or (missed and found.deal is None and passage.settings.missed_makes_lead):
        return None
    return found.deal or found.contact


def kinds_of(merged: Merged) -> list[str]:
    """What rules hear of a call that is over, in this order: once, and again where it turns out otherwise."""
    call = merged.call
    inbound = call.direction == "inbound"
    kinds = ["call.started"] if inbound and not call.start_told else []
    if merged.ended or merged.changed_result:
        kinds += ["call.missed"] if merged.missed else ["call.answered"] if merged.answered else []
        kinds.append("call.completed")
    if inbound and call.result is CallResult.VOICEMAIL and merged.before is not CallResult.VOICEMAIL:
        kinds.append("voicemail.received")
    return [*kinds, "call.transcribed"] if merged.transcribed else kinds


def done_by(
    session: Session, element: Lead | Deal | Contact, call: Call, order: CallOrder | None
) -> list[Happening]:
    """The calls that this one makes needless are done, and the one that it was made for."""
    outcome = "answered" if call.result is CallResult.ANSWERED else "no answer"
    needless = call_back.made_needless(session, element, call)
    if order is None:
        return [
            h for a in needless for h in activities.complete(session, a, actor="service", outcome=outcome)
        ]
    own = [a for a in activities.all_planned(session, element, type="call") if a.id == order.activity_id]
    done = [*own, *(a for a in needless if a not in own)]
    return call_outcomes.complete(session, order, done, outcome=outcome)


def follow(passage: Passage, merged: Merged, element: Deal | Contact) -> None:
    """What comes of the call: its place, what rules hear, who calls back, and that somebody has."""
    session, call = passage.session, merged.call
    if call.rung_at is not None and not call.start_told:
        call_log.tell_rung(session, call, element, event_id=passage.event.id)
    kinds = kinds_of(merged)
    call.start_told = True
    news = merged.ended or merged.changed_result
    if news or "voicemail.received" in kinds:
        call_log.tell(session, call, element, event_id=passage.event.id)
    happenings = [about(element, kind, call=call) for kind in kinds]
    reached = merged.answered or (call.direction == "outbound" and call.result is not CallResult.FAILED)
    if news and reached:
        element.waits_since = None
        happenings += done_by(session, element, call, call_orders.of_call(session, call, lock=True))
    passage.react(element, happenings)
    if merged.missed and not call_back.done_already(session, element, call):
        element.waits_since = element.waits_since or call_log.moment(call)
        minutes = passage.settings.call_back_minutes
        call_back.plan(session, element, call, minutes=minutes, workspace=passage.here)
