"""Takes one event through the house: adapter, identity, lead, rules. In the caller's one transaction."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, secrets
from core.errors import Invalid, NotFound, PortariaError, Quarantined, Unavailable, Unreadable
from core.metrics import LAG, PROCESSED
from crm import attachments, consents, merging, workspace
from crm.contact_points import phone_number
from crm.mail_facts import Told
from crm.submission import CallUpdate, Notice, Submission
from intake import (
    call_effects,
    calls,
    confirmation,
    files,
    journal,
    mail_effects,
    mail_reports,
    notices,
    screening,
    whereabouts,
)
from intake.adapter import Adapter
from intake.calls.lost_end import LostEnd
from intake.calls.order_note import OrderNote
from intake.delivery import RELEASED, Delivery
from intake.errand import STORED, TRIES, Errand, Needed
from intake.forms.service_form import SERVICE_FORMS
from intake.forms.web_form import WebForm
from intake.hooks import Hook
from intake.mailbox.adapter import Mailbox
from intake.mailbox.settings import MailboxSettings
from intake.passage import Passage
from models.activity import Activity
from models.contact import Contact
from models.deal import Deal
from models.inbound import EventState, InboundEvent
from models.lead import Lead
from models.source import Channel, Source
from models.timeline import TimelineEntry
from models.user import User
from models.workspace import WorkspaceRow
from rules import ruleset

_ALL: tuple[Adapter[Any], ...] = (
    WebForm(),
    *SERVICE_FORMS,
    Mailbox(),
    *calls.ADAPTERS,
    Hook(),
    LostEnd(),
    OrderNote(),
)
ADAPTERS = {adapter.name: adapter for adapter in _ALL}


def process(session: Session, event: InboundEvent, *, careful: bool = True) -> None:
    """All of the event's effects, once: a second time finds them and only closes the event.

    With `careful=False` a mistake in a rule's step fails the whole, to be tried again with care.
    Raises Unreadable, Ignored or Quarantined for what becomes no lead; then nothing is written.
    """
    lead_id: int | None = None
    if not _effects_stand(session, event):
        row = session.get(WorkspaceRow, 1)  # held here, it is read once
        source = session.get_one(Source, event.source_id)
        settings = _settings(session, source, ADAPTERS[event.adapter])
        here = workspace.load(session)
        country = settings.country or here.country
        passage = Passage(session, event, source, settings, here, country, careful)
        delivery = _delivery(event)
        found = _understood(passage, delivery)
        if isinstance(found, Lead | Deal | Contact | Activity):
            lead = found if isinstance(found, Lead) else None
        elif isinstance(found, CallUpdate):
            lead = call_effects.follow(passage, found)
        elif isinstance(found, Notice):
            lead = notices.follow(passage, found)
        else:
            screening.look(session, event.id, delivery, found, settings)
            found = confirmation.settled(event.id, delivery, found, settings, here)
            if event.adapter == WebForm.name:
                found = whereabouts.told(found, delivery.remote_address)
            lead = _enquiry(passage, found, released=bool(delivery.facts.get(RELEASED)))
        lead_id = merging.standing(session, lead).id if lead else None
        del row
    journal.close(event, EventState.PROCESSED, lead_id=lead_id)


def _understood(
    passage: Passage, delivery: Delivery
) -> Submission | CallUpdate | Notice | Lead | Deal | Contact | Activity:
    """What the event says; or what it was about, where that is all there is to it."""
    try:
        found = _parsed(passage.event, delivery, passage.settings)
    except Quarantined as verdict:
        # What one of us has sent from another program is no enquiry, and belongs into its conversation.
        if isinstance(verdict.submission, Submission):
            wrote = mail_effects.from_us(passage, verdict.submission)
            if wrote is not None:
                return wrote
        raise
    if isinstance(found, Told):
        element = mail_reports.of_machine(passage, found)
        if element is None:
            raise Quarantined(found.reason, found.submission)
        return element
    return found


def _parsed(
    event: InboundEvent, delivery: Delivery, settings: Any
) -> Submission | CallUpdate | Notice | Told:
    """What the event says; what was put apart counts as an enquiry once a person has released it.

    Raises Needed where something has to be done outside first.
    """
    adapter = ADAPTERS[event.adapter]
    if (errand := adapter.errand(delivery, settings)) is not None:
        raise Needed(errand)
    found: Submission | CallUpdate | Notice | Told
    try:
        found = adapter.parse(delivery, settings)
        if isinstance(found, Told) and delivery.facts.get(RELEASED):
            found = found.submission
    except Quarantined as verdict:
        if not (delivery.facts.get(RELEASED) and isinstance(verdict.submission, Submission)):
            raise
        found = verdict.submission
    if isinstance(found, Submission) and found.files and not delivery.facts.get(STORED):
        kept = files.sorted_out(found.files, settings, event.id)
        if contents := files.to_store(found.files, kept):
            raise Needed(Errand(files=contents))
    return found


def _apart(
    found: Submission | CallUpdate | Notice | Told,
) -> Submission | CallUpdate | Notice:
    # What a machine says of our own mails is no enquiry, but a person may take it for one.
    if isinstance(found, Told):
        raise Quarantined(found.reason, found.submission)
    return found


def preview(session: Session, event: InboundEvent) -> Submission | None:
    """What the event would say if it were an enquiry; None where that cannot be told. Nothing is written."""
    adapter = ADAPTERS[event.adapter]
    try:
        settings = _settings(session, session.get_one(Source, event.source_id), adapter)
        found = _apart(adapter.parse(_delivery(event), settings))
    except Quarantined as verdict:
        return verdict.submission if isinstance(verdict.submission, Submission) else None
    except (PortariaError, ValidationError):  # the second: its source was declared for another release
        return None
    return found if isinstance(found, Submission) else None


def warm(session: Session) -> None:
    """Loads what the first event would otherwise wait for: number plans, rules, mappings."""
    phone_number("+12025550143", workspace.load(session).country)
    ruleset.active(session)
    session.scalars(select(Lead).limit(1)).all()


def count(event: InboundEvent) -> None:
    """Adds a closed event to the metrics."""
    channel = ADAPTERS[event.adapter].channel.value
    PROCESSED.labels(channel, event.state.value).inc()
    if event.state is EventState.PROCESSED:
        LAG.labels(channel).observe((clock.now() - event.received_at).total_seconds())


def _effects_stand(session: Session, event: InboundEvent) -> bool:
    """Whether it was processed before: only of one that was tried or replayed must timelines be asked."""
    if event.lead_id is not None:
        return True
    if event.attempts <= 1 and TRIES not in event.envelope["facts"]:
        return False
    found = select(TimelineEntry.id).where(TimelineEntry.event_id == event.id).limit(1)
    return session.scalar(found) is not None


def _settings(session: Session, source: Source, adapter: Adapter[Any]) -> Any:
    row = session.get_one(WorkspaceRow, 1)
    # Opened where something of it is named: it takes its time, and this is on every event's way.
    environment = secrets.opened_environment(row.environment) if secrets.references(source.settings) else {}
    try:
        settings = adapter.settings.model_validate(secrets.opened(source.settings, environment))
    except Invalid as error:
        raise Unavailable(f"the source '{source.key}' is not ready: {error}") from None
    if isinstance(settings, MailboxSettings):
        # Users are colleagues, and a signature's numbers are read where the workspace is.
        users = session.scalars(select(User.email).where(User.active)).all()
        here = {"country": settings.country or workspace.load(session).country}
        settings = settings.model_copy(update=here | {"colleagues": (*settings.colleagues, *users)})
    return settings


def mailbox(session: Session, key: str) -> MailboxSettings:
    """A mailbox's settings, opened. Raises NotFound, or Unavailable where they cannot be."""
    source = session.scalars(
        select(Source).where(Source.channel == Channel.EMAIL, Source.key == key, Source.active)
    ).first()
    if source is None:
        raise NotFound(f"there is no mailbox '{key}'")
    found = _settings(session, source, ADAPTERS[Mailbox.name])
    assert isinstance(found, MailboxSettings)  # noqa: S101  the adapter's own
    return found


def line_of(session: Session, source: Source) -> tuple[calls.CallAdapter[Any], calls.LineSettings]:
    """A line's adapter and its settings, opened. Raises Unavailable where they cannot be."""
    adapter = calls.BY_NAME.get(str(source.settings.get("provider")))
    if adapter is None:
        raise Unavailable(f"the source '{source.key}' is not ready: its provider is not known")
    return adapter, _settings(session, source, adapter)


def _delivery(event: InboundEvent) -> Delivery:
    return Delivery.restored(event.body, event.content_type, event.received_at, event.envelope)


def _enquiry(passage: Passage, submission: Submission, *, released: bool) -> Lead | None:
    """The enquiry's lead; None for a mail that belongs to a deal or a contact alone."""
    if not (submission.emails or submission.phones or submission.name.strip() or submission.message.strip()):
        raise Unreadable("there is no name, no address, no number and no message in it")
    if submission.mail is not None:
        captured = mail_effects.take_in(passage, submission, submission.mail, released=released)
    else:
        captured = passage.capture(submission)
    if isinstance(captured, mail_effects.Beside):
        _keep_files(passage, captured.element, submission)
        passage.react(captured.element, captured.happenings)
        return None
    lead, event = captured.lead, passage.event
    if submission.consents or submission.consent is not None:
        address = event.envelope["remote_address"]
        consents.record(
            passage.session,
            lead,
            submission,
            source=passage.source.key,
            event_id=event.id,
            address=address,
            at=event.received_at,
        )
    _keep_files(passage, lead, submission)
    passage.react(lead, captured.happenings)
    return lead


def _keep_files(passage: Passage, element: Lead | Deal | Contact, submission: Submission) -> None:
    session, event_id = passage.session, passage.event.id
    if submission.files:
        kept = files.sorted_out(submission.files, passage.settings, event_id)
        attachments.attach(session, element, kept, event_id=event_id)
    if submission.left:
        first = min(len(submission.files), files.MOST)
        attachments.leave(session, element, submission.left, event_id=event_id, first=first)
