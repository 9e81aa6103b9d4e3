"""A call of a contact who has no open lead: on the timeline of their open deal, else on their own.

Whoever is known makes no new lead by calling. A missed call is called back by whoever has the deal, or the
contact; the line may say that it makes a lead all the same.
"""

from __future__ import annotations

from crm import activities, callers
from crm import calls as call_log
from crm.call_view import MISSED
from crm.calls import Merged
from crm.own_numbers import OwnNumbers
from intake import call_back
from intake.passage import Passage
from models.call import Call, CallResult
from models.contact import Contact
from models.deal import Deal


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


def follow(passage: Passage, merged: Merged, element: Deal | Contact) -> None:
    """What comes of the call: its place, who calls back, and that somebody has."""
    session, call = passage.session, merged.call
    if call.rung_at is not None and not call.start_told:
        call_log.tell_rung(session, call, element, event_id=passage.event.id)
    call.start_told = True
    news = merged.ended or merged.changed_result
    if news or (call.result is CallResult.VOICEMAIL and merged.before is not CallResult.VOICEMAIL):
        call_log.tell(session, call, element, event_id=passage.event.id)
    reached = merged.answered or (call.direction == "outbound" and call.result is not CallResult.FAILED)
    if news and reached:
        outcome = "answered" if merged.answered else "no answer"
        for activity in call_back.made_needless(session, element, call):
            activities.complete(session, activity, actor="service", outcome=outcome)
    if merged.missed and not call_back.done_already(session, element, call):
        minutes = passage.settings.call_back_minutes
        call_back.plan(session, element, call, minutes=minutes, workspace=passage.here)
