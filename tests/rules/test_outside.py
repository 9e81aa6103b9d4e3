"""What happens to contacts, companies and deals is told outside, whoever does it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from core import db
from crm import changes, comments, companies, contacts, deals, deletion, leads, merging, timeline
from models.domain_event import DomainEvent
from models.webhook import WebhookDelivery
from models.workspace import WorkspaceRow
from rules import engine
from rules.webhooks import OUTSIDE
from tests.factories import configure, enquire

WEBHOOKS = '  - {key: sync, url: "https://sync.test/x", secret: whsec_c29tZSB0d2VudHkgYW5kIG1vcmUgYnl0ZXM=, events: ["contact.*", "company.*", deal.updated, lead.erased, lead.commented]}'


def told(database: db.Database) -> list[tuple[str, Any]]:
    with database.unit_of_work() as session:
        rows = session.scalars(select(WebhookDelivery).order_by(WebhookDelivery.id)).all()
        found = [(row.kind, json.loads(row.body)["data"]) for row in rows]
        for row in rows:
            session.delete(row)
    return found


def test_each_way_of_changing_them_is_one_event(database: db.Database) -> None:
    assert engine
    configure(webhooks=WEBHOOKS)
    with database.unit_of_work() as session:
        one = contacts.create(session, name="Ana", emails=["a@x.test"], actor="t")
        two = contacts.create(session, name="Anna", actor="t")
        company = companies.create(session, name="Sol", actor="t")
        deal = deals.create(session, title="Ovens", actor="t")
    ((kind, data), *rest) = told(database)
    assert (kind, data["contact"]["name"], data["lead"]) == ("contact.created", "Ana", None)
    assert [k for k, _ in rest] == ["contact.created", "company.created"]
    with database.unit_of_work() as session:
        one, company, deal = session.merge(one), session.merge(company), session.merge(deal)
        changes.change(session, one, {"position": "Boss", "tags": ["vip"]}, actor="t")
        changes.change(session, company, {"city": "Recife"}, actor="t")
        deals.change(session, deal, {"title": "Large ovens"}, actor="t")
    found = told(database)
    assert [k for k, _ in found] == ["contact.updated", "company.updated", "deal.updated"]
    assert found[0][1]["event"]["changes"]["position"] == {"before": None, "after": "Boss"}
    assert (found[1][1]["company"]["city"], found[2][1]["deal"]["title"]) == ("Recife", "Large ovens")
    with database.unit_of_work() as session:
        first, second = merging.pair(session, contacts.Contact, one.id, two.id)
        made = merging.merge(session, first, second, by="t")
    assert ("contact.merged", two.id) in [(k, d["event"].get("merged")) for k, d in told(database)]
    with database.unit_of_work() as session:
        merging.split(session, session.merge(made), by="t")
    assert [k for k, _ in told(database)] == ["contact.split", "contact.split"]
    with database.unit_of_work() as session:
        timeline.record(
            session, session.merge(company), kind="comment", summary="hm", data={"text": "hm, well"}
        )
        deletion.delete(session, session.merge(two))
    assert {k: d["event"] for k, d in told(database)} == {
        "company.commented": {"text": "hm, well"},
        "contact.deleted": {"id": two.id},
    }
    with database.reading() as session:
        kinds = set(session.scalars(select(DomainEvent.kind)))
    assert {k for k in kinds if k in OUTSIDE} >= {
        "contact.created",
        "company.updated",
        "deal.updated",
        "contact.deleted",
    }
    assert comments


def test_what_is_rolled_back_is_not_told_and_leads_are_told_as_before(database: db.Database) -> None:
    configure(webhooks=WEBHOOKS)
    with pytest.raises(RuntimeError), database.unit_of_work() as session:
        contacts.create(session, name="Ana", actor="t")
        raise RuntimeError
    with database.unit_of_work() as session:
        lead = enquire(session).lead
        leads.set_field(session, lead, "name", "M", actor="t")
        with pytest.raises(RuntimeError), session.begin_nested():
            contacts.create(session, name="Bea", actor="t")
            raise RuntimeError
    assert told(database) == []


def test_what_is_told_last_is_written_also_where_the_database_is_asked_no_more(database: db.Database) -> None:
    configure()
    with database.unit_of_work() as session:
        held = session.get(WorkspaceRow, 1)  # as on an event's way
        contacts.create(session, name="Rui", actor="t")
        assert held is not None
    with database.reading() as session:
        assert "contact.created" in session.scalars(select(DomainEvent.kind)).all()
