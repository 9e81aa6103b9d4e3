"""What comes of a call: a lead, its place on the timeline, who calls back, and what rules are told."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core import clock
from core.errors import Ignored
from crm import call_orders, call_transfers, callers
from crm import calls as call_log
from crm.calls import Merged
from crm.happening import Happening, about
from crm.own_numbers import OwnNumbers, lines_with, own_numbers
from crm.submission import CallUpdate
from intake import call_back, call_known, recordings
from intake.calls.connect import Connection
from intake.passage import Passage
from models.call import Call, CallResult
from models.call_order import CallOrder
from models.contact import Contact
from models.lead import Lead
from models.user import User


def follow(passage: Passage, update: CallUpdate) -> Lead | None:
    """Adds the event to its call. Its lead, once there is one: for inbound calls when they have ended."""
    session = passage.session
    _is_ours(passage, update)
    provider = str(passage.source.settings["provider"])
    merged = call_log.merge(
        session, update, source=passage.source, provider=provider, country=passage.country
    )
    asked = _put_through(passage, merged.call)
    _ring(passage, merged.call, update)
    own = own_numbers(session, passage.here.country)
    if passage.settings.recordings:
        recordings.note(session, merged.call)
    if merged.call.direction == "outbound":
        order = call_orders.of_call(session, merged.call, lock=True)
        if order is not None:
            _go_on(session, order, merged.call, update)
        return _outgoing(passage, merged, own, order)
    if merged.call.result is None:
        return _ringing(passage, merged.call, own, asked=asked)
    return _incoming(passage, merged, own)


def _is_ours(passage: Passage, update: CallUpdate) -> None:
    """Raises Ignored for somebody who called another line: lines of one account are signed alike."""
    line = passage.settings
    if update.direction != "inbound" or not line.numbers:
        return
    number = call_log.e164(update.to_number, passage.country)
    if number is None or number in line.numbers or number in line.forwarding:
        return
    whose = lines_with(passage.session, number, passage.here.country)
    if whose and passage.source.id not in whose:
        raise Ignored(f"{number} is a number of the line '{min(whose.values())}', and this came for another")


def _put_through(passage: Passage, call: Call) -> bool:
    """Keeps whom the provider was told to ring, the last word where it asked twice; whether this was it."""
    said = Connection.of(passage.event.envelope["facts"])
    at = passage.event.received_at
    if said is None or (call.rung_at is not None and call.rung_at > at):
        return False
    call.rung_user = passage.session.get(User, said.user_id) if said.user_id is not None else None
    call.rung_number, call.rung_why, call.rung_at = said.number, said.why, at
    return True


def _ring(passage: Passage, call: Call, update: CallUpdate) -> None:
    """Lets a provider that is told afterwards whom to ring, or that nobody is left, be told."""
    said = Connection.of(passage.event.envelope["facts"])
    if update.handle is None or update.order is not None:
        return
    if said is not None:
        kind: call_transfers.Kind = "first" if said.user_id is not None else "fallback"
        call_transfers.ask(passage.session, call, kind, handle=update.handle, number=said.number)
    elif update.asks == "hangup":
        call_transfers.ask(passage.session, call, "hangup", handle=update.handle)


def _ringing(passage: Passage, call: Call, own: OwnNumbers, *, asked: bool) -> Lead | None:
    """The open lead of whoever is calling just now; its rules, or those of their deal or contact, are told.

    None for one we do not know yet.
    """
    lead, element = None, None
    if call.direction == "inbound" and (asked or not call.start_told):
        lead = callers.lead_of(passage.session, call, own=own)
        element = lead or call_known.belongs_to(passage, call, own)
        if isinstance(element, Contact) and passage.settings.missed_makes_lead:
            element = None  # whether it is a lead's call, its end tells
    if element is None:
        return None
    if call.rung_at is not None:
        call_log.tell_rung(passage.session, call, element, event_id=passage.event.id)
    if not call.start_told:
        call.start_told = True
        passage.react(element, [about(element, "call.started", call=call)])
    return lead


def _incoming(passage: Passage, merged: Merged, own: OwnNumbers) -> Lead | None:
    session, call = passage.session, merged.call
    callers.hold(session, call, own=own)
    if (element := call_known.belongs_to(passage, call, own)) is not None:
        call_known.follow(passage, merged, element)
        return None
    submission = callers.submission_of(call, own=own)
    if submission is None and call.lead_id is None:
        return None
    happenings: list[Happening] = []
    if call.lead_id is None and submission is not None:
        known = None if submission.phones else callers.lead_of(session, call, own=own)
        if known is None:
            captured = passage.capture(submission)
            known = captured.lead
            happenings += captured.happenings
        call.lead_id = known.id
    lead = session.get_one(Lead, call.lead_id)
    news = merged.ended or merged.changed_result
    if call.rung_at is not None and not call.start_told:
        call_log.tell_rung(session, call, lead, event_id=passage.event.id)
    kinds = call_known.kinds_of(merged)
    call.start_told = True
    if news or "voicemail.received" in kinds:
        call_log.tell(session, call, lead, event_id=passage.event.id)
    happenings += [Happening(kind, lead, call=call) for kind in kinds]
    if merged.answered and news:
        happenings += _talked(session, lead, call)
    passage.react(lead, happenings)
    if merged.missed and not call_back.done_already(session, lead, call):
        minutes = passage.settings.call_back_minutes
        call_back.plan(session, lead, call, minutes=minutes, workspace=passage.here)
    return lead


def _go_on(session: Session, order: CallOrder, call: Call, update: CallUpdate) -> None:
    """Asks the provider for what this event of a call that we placed calls for."""
    order.handle = update.handle or order.handle
    if update.asks == "hangup" or (update.asks is not None and call.result is None):
        call_orders.ask(session, order, update.asks)


def _outgoing(passage: Passage, merged: Merged, own: OwnNumbers, order: CallOrder | None) -> Lead | None:
    """A call of ours stands on the lead's timeline, and whoever was to be called back has been."""
    session, call = passage.session, merged.call
    news = merged.ended or merged.changed_result
    lead = session.get(Lead, call.lead_id) if call.lead_id is not None else None
    if call.result is None or not (news or merged.transcribed):
        return lead
    if lead is None and call.deal_id is None and call.contact_id is None:
        lead = callers.lead_of(session, call, own=own)
    if lead is None:
        if (element := call_known.belongs_to(passage, call, own)) is not None:
            call_known.follow(passage, merged, element)
        return None
    call.lead_id = lead.id
    if news:
        call_log.tell(session, call, lead, event_id=passage.event.id)
    happenings = [Happening(kind, lead, call=call) for kind in call_known.kinds_of(merged)]
    if news and call.result is not CallResult.FAILED:
        happenings += _talked(session, lead, call, order)
    passage.react(lead, happenings)
    return lead


def _talked(session: Session, lead: Lead, call: Call, order: CallOrder | None = None) -> list[Happening]:
    """The calls that it makes needless are done, and the lead has its first answer."""
    # Trying to reach somebody is an answer too: that they did not pick up is not the agent's fault.
    at = min(call.answered_at or call.started_at or call_log.moment(call), clock.now())
    lead.first_response_at = lead.first_response_at or at
    lead.last_outbound_at = max(lead.last_outbound_at or at, at)
    return call_known.done_by(session, lead, call, order)
