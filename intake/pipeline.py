"""Takes one event through the house: adapter, identity, lead, rules. In the caller's one transaction."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, secrets
from core.errors import Unreadable
from core.metrics import LAG, PROCESSED
from crm import calls as call_log
from crm import workspace
from crm.capture import Capture, capture
from crm.contact_points import phone_number
from crm.happening import Happening
from crm.submission import CallUpdate, Submission
from crm.workspace import WorkspaceSettings
from intake import call_back, calls, journal
from intake.adapter import Adapter
from intake.delivery import Delivery
from intake.forms.web_form import WebForm
from intake.mailbox.adapter import Mailbox
from models.inbound import EventState, InboundEvent
from models.lead import Lead
from models.source import Source
from models.timeline import TimelineEntry
from models.workspace import WorkspaceRow
from rules import engine, ruleset

_ALL: tuple[Adapter[Any], ...] = (WebForm(), Mailbox(), *calls.ADAPTERS)
ADAPTERS = {adapter.name: adapter for adapter in _ALL}


def process(session: Session, event: InboundEvent) -> None:
    """All of the event's effects, once: a second time finds them and only closes the event.

    Raises Unreadable, Ignored or Quarantined for what becomes no lead; then nothing is written.
    """
    if not _effects_stand(session, event):
        source = session.get_one(Source, event.source_id)
        here = workspace.load(session)
        settings = _settings(session, source, ADAPTERS[event.adapter])
        found = ADAPTERS[event.adapter].parse(_delivery(event), settings)
        country = getattr(settings, "country", None) or here.country
        if isinstance(found, CallUpdate):
            lead = _call(session, event, found, source, settings, here, country)
        else:
            lead = _enquiry(session, event, found, source, here, country)
        event.lead_id = lead.id if lead else None
    journal.close(event, EventState.PROCESSED)


def warm(session: Session) -> None:
    """Loads what the first event would otherwise wait for: number plans, rules, mappings."""
    phone_number("+12025550143", workspace.load(session).country)
    ruleset.active(session)
    session.scalars(select(Lead).limit(1)).all()


def count(event: InboundEvent) -> None:
    """Adds a closed event to the metrics."""
    channel = event.adapter if event.adapter == "form" else "email" if event.adapter == "imap" else "call"
    PROCESSED.labels(channel, event.state.value).inc()
    if event.state is EventState.PROCESSED:
        LAG.labels(channel).observe((clock.now() - event.received_at).total_seconds())


def _effects_stand(session: Session, event: InboundEvent) -> bool:
    return event.lead_id is not None or (
        session.scalar(select(TimelineEntry.id).where(TimelineEntry.event_id == event.id).limit(1))
        is not None
    )


def _settings(session: Session, source: Source, adapter: Adapter[Any]) -> Any:
    row = session.get_one(WorkspaceRow, 1)
    environment = secrets.opened_environment(row.environment)
    return adapter.settings.model_validate(secrets.opened(source.settings, environment))


def _delivery(event: InboundEvent) -> Delivery:
    return Delivery.restored(event.body, event.content_type, event.received_at, event.envelope)


def _enquiry(
    session: Session,
    event: InboundEvent,
    submission: Submission,
    source: Source,
    here: WorkspaceSettings,
    country: str,
) -> Lead:
    if not (submission.emails or submission.phones or submission.name.strip() or submission.message.strip()):
        raise Unreadable("there is no name, no address, no number and no message in it")
    captured = capture(session, submission, source=source, event_id=event.id, country=country)
    _react(session, captured.happenings, here, event)
    return captured.lead


def _call(
    session: Session,
    event: InboundEvent,
    update: CallUpdate,
    source: Source,
    settings: calls.LineSettings,
    here: WorkspaceSettings,
    country: str,
) -> Lead | None:
    merged = call_log.merge(session, update, source=source, provider=event.adapter, country=country)
    call = merged.call
    submission = call_log.submission_of(call, own_numbers=settings.numbers)
    if submission is None:
        return None
    happenings: list[Happening] = []
    captured: Capture | None = None
    if call.lead_id is None:
        captured = capture(session, submission, source=source, event_id=event.id, country=country)
        call.lead_id = captured.lead.id
        happenings += captured.happenings
    lead = session.get_one(Lead, call.lead_id)
    if merged.ended or merged.changed_result:
        call_log.tell(session, call, lead, event_id=event.id)
        kinds = ["call.missed"] if merged.missed else ["call.answered"] if merged.answered else []
        happenings += [Happening(kind, lead, {"call": call}) for kind in (*kinds, "call.completed")]
    _react(session, happenings, here, event)
    if merged.missed:
        call_back.plan(session, lead, call, minutes=settings.call_back_minutes, workspace=here)
    return lead


def _react(
    session: Session,
    happenings: list[Happening] | tuple[Happening, ...],
    here: WorkspaceSettings,
    event: InboundEvent,
) -> None:
    engine.react(session, happenings, workspace=here, event_id=event.id)
