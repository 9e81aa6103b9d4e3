"""Rows for tests, made by plain functions."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, db
from core.ids import new_id
from crm import workspace
from crm.capture import Capture, capture
from crm.submission import Submission
from models.contact import Contact
from models.contact_point import Person
from models.deal import Deal
from models.lead import Lead
from models.pipeline import Pipeline, Stage, StageGroup
from models.source import Channel, Source
from rules import engine
from workspace.apply import apply
from workspace.change import Change
from workspace.check import check
from workspace.document import Document, Path, Place, parse

NOON = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)  # a Monday, 12:00 in São Paulo

WORKSPACE = """
workspace: {name: Acme, country: BR, timezone: America/Sao_Paulo, currency: BRL}
users:
  - {email: ana@acme.test, name: Ana}
  - {email: bruno@acme.test, name: Bruno}
  - {email: clara@acme.test, name: Clara, role: manager}
teams: [{key: inbound, members: [ana@acme.test, bruno@acme.test], lead: clara@acme.test}]
calendars: [{key: office, hours: {mon-fri: "09:00-18:00"}, holidays: BR-SP}]
templates: [{key: welcome, subject: "Hello {{ lead.name }}", text: "Dear {{ lead.name }}, thank you."}]
forms:
  - key: contact
    fields:
      - {name: name, required: true}
      - {name: email, type: email, required: true}
      - {name: phone, type: phone}
      - {name: employees, type: number}
      - {name: message, type: textarea}
  - {key: open}
"""


def configure(text: str = WORKSPACE, **parts: str) -> list[Change]:
    """Applies a workspace in a transaction of its own; `parts` are further top-level parts in YAML."""
    with db.unit_of_work() as session:
        return configure_in(session, text, **parts)


def configure_in(session: Session, text: str = WORKSPACE, **parts: str) -> list[Change]:
    """Applies a workspace in the given transaction."""
    values, places = _parsed(text + "".join(f"\n{name}:\n{value}" for name, value in parts.items()))
    return apply(session, check(session, Document(deepcopy(values), dict(places))), by="test")


@lru_cache(maxsize=500)
def _parsed(text: str) -> tuple[dict[str, Any], dict[Path, Place]]:
    """Read once for all tests that say the same: reading is most of what applying costs."""
    document = parse(text.encode(), "workspace.yaml")
    return document.values, document.places


def source(session: Session, key: str = "contact", channel: Channel = Channel.FORM) -> Source:
    """A source that was configured."""
    return session.scalars(select(Source).where(Source.key == key, Source.channel == channel)).one()


def submission(**changes: Any) -> Submission:
    """An enquiry by Maria."""
    values: dict[str, Any] = {
        "channel": Channel.FORM,
        "occurred_at": NOON,
        "emails": ("maria@client.test",),
        "name": "Maria Souza",
        "message": "Quero um orçamento",
    }
    return Submission(**(values | changes))


def enquire(
    session: Session, *, key: str = "contact", event_id: str | None = None, **changes: Any
) -> Capture:
    """Takes an enquiry through capture and rules."""
    made = submission(**changes)
    event_id = event_id or new_id()
    here = workspace.load(session)
    captured = capture(session, made, source=source(session, key), event_id=event_id, country=here.country)
    engine.react(session, captured.happenings, workspace=here, event_id=event_id)
    return captured


def contact(session: Session, *, lead: Lead | None = None, **values: Any) -> Contact:
    """A contact: the person of this lead, or somebody new."""
    if lead is None:
        person = Person()
        session.add(person)
        session.flush()
    now = clock.now()
    given = {"name": lead.name if lead else "Rui Prado", "created_at": now, "updated_at": now}
    made = Contact(person_id=lead.person_id if lead else person.id, **(given | values))
    session.add(made)
    session.flush()
    return made


def deal(session: Session, *, stage: str = "new", **values: Any) -> Deal:
    """A deal in a pipeline of stages named new, won and lost, made where it is missing."""
    pipeline = session.scalars(select(Pipeline).where(Pipeline.key == "test")).one_or_none()
    if pipeline is None:
        pipeline = Pipeline(key="test", name="Test")
        groups = {"new": StageGroup.OPEN, "won": StageGroup.WON, "lost": StageGroup.LOST}
        pipeline.stages = [Stage(key=key, name=key, group=group) for key, group in groups.items()]
        session.add(pipeline)
        session.flush()
    chosen = next(s for s in pipeline.stages if s.key == stage)
    now = clock.now()
    given = {
        "title": "A deal", "pipeline_id": pipeline.id, "stage_id": chosen.id, "state": chosen.group,
        "currency": "BRL", "created_at": now, "updated_at": now, "stage_since": now,
    }  # fmt: skip
    made = Deal(**(given | values))
    session.add(made)
    session.flush()
    return made
