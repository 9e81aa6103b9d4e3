"""One history for each element: filtered, in pages, with what happened on its leads and deals, and mentions."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select

from core import clock, db
from core.db import Database
from crm import comments, timeline
from crm.timeline import Filters
from models.contact import Contact
from models.deal import DealContact
from models.message import Message
from models.notification import Notification
from models.recording import Recording, RecordingState
from models.source import Channel, Source
from models.timeline import TimelineEntry
from models.user import User
from tests import factories
from tests.api.conftest import Ask
from tests.console import seed
from tests.factories import NOON, configure


def told(ask: Ask, path: str, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = ask("GET", f"{path}/timeline", query_string={**query, **cursor})
        assert answer.status_code == 200, answer.text
        found += answer.json["items"]
        if answer.json["next_cursor"] is None:
            return found
        cursor = {"cursor": answer.json["next_cursor"]}


def test_a_contact_and_a_company_show_what_happened_on_their_leads_and_deals(ask: Ask) -> None:
    with db.unit_of_work() as session:
        lead = factories.enquire(session).lead
        contact = factories.contact(session, lead=lead)
        part, own = (
            factories.deal(session, title="Part"),
            factories.deal(session, title="Own", contact_id=contact.id),
        )
        session.add(DealContact(deal_id=part.id, contact_id=contact.id))
        other = factories.deal(session, title="Other")
        for place, element in enumerate((lead, contact, part, own, other)):
            comments.add(session, element, f"remark {place}", actor="user:1")
    for limit in (1, 50):
        entries = told(ask, f"/contacts/{contact.id}", kind="comment", limit=limit)
        assert [e["summary"] for e in entries] == ["remark 3", "remark 2", "remark 1", "remark 0"]
    assert "submission" in [e["kind"] for e in told(ask, f"/contacts/{contact.id}")]
    assert [e["summary"] for e in told(ask, f"/deals/{other.id}", kind="comment")] == ["remark 4"]
    company = ask("POST", "/companies", json={"name": "Sol"}).json
    assert ask("PATCH", f"/deals/{other.id}", json={"company_id": company["id"]}).status_code == 200
    summaries = [e["summary"] for e in told(ask, f"/companies/{company['id']}")]
    assert "remark 4" in summaries  # also what was said before it was the deal's company


def test_a_timeline_is_filtered_by_what_who_when_and_words(ask: Ask) -> None:
    with clock.frozen(NOON):
        lead = ask("POST", "/leads", json={"name": "Maria", "email": "maria@client.test"}).json
        path = f"/leads/{lead['id']}"
    with clock.frozen(NOON + timedelta(days=1)):
        entry = ask("POST", f"{path}/comments", json={"text": "Call BACK\nsoon"}).json
        ask("PATCH", path, json={"score": 7, "fields": {"size": 3}})
    assert [e["summary"] for e in told(ask, path, kind="comment, call")] == ["Call BACK soon"]
    changed = {
        e["data"]["field"]: (e["data"]["before"], e["data"]["after"], e["actor"])
        for e in told(ask, path, kind="changed")
    }
    assert changed == {"score": (0, 7, "token:admin"), "size": (None, 3, "token:admin")}
    by_rules = told(ask, path, actor="rule")
    assert {e["actor"] for e in by_rules} == {"rule:all"}
    assert told(ask, path, actor="rule:all") == by_rules != []
    assert told(ask, path, actor="rul") == told(ask, path, actor="rule:a%") == []
    assert {e["kind"] for e in told(ask, path, since="2026-11-24T00:00:00Z")} == {"comment", "changed"}
    assert "comment" not in {e["kind"] for e in told(ask, path, until="2026-11-24T00:00:00Z")}
    assert [e["id"] for e in told(ask, path, q="back SOON")] == [entry["id"]]
    assert ask("POST", f"/timeline/{entry['id']}/pin", json={}).json["pinned"] is True
    assert [e["id"] for e in told(ask, path, pinned="true")] == [entry["id"]]
    for wrong in ("since=yesterday", "cursor=x", "kind=", "limit=0", "nothing=1", "pinned=perhaps"):
        assert ask("GET", f"{path}/timeline?{wrong}").status_code == 422, wrong


def test_a_call_has_its_recordings_and_a_change_of_contacts_what_stood_before(ask: Ask) -> None:
    with db.unit_of_work() as session:
        lead = factories.enquire(session).lead
        session.add(Source(id=3, channel=Channel.CALL, key="main", name="main", settings={}, active=True))
        session.flush()
        call = seed.call(session, lead)
        session.add(
            Recording(
                call_id=call.id,
                said="x",
                state=RecordingState.KEPT,
                place="p",
                kind="audio/mpeg",
                created_at=NOON,
            )
        )
        timeline.record(session, lead, kind="call", summary="Call", data={"call": call.id})
        timeline.record(session, lead, kind="call", summary="Strange", data={"call": "no number"})
        deal = factories.deal(session)
        rui = factories.contact(session)
    recordings = {
        e["summary"]: [(r["state"], r["kind"]) for r in e["recordings"]]
        for e in told(ask, f"/leads/{lead.id}", kind="call")
    }
    assert recordings == {"Call": [("kept", "audio/mpeg")], "Strange": []}
    for parts in ([{"contact_id": rui.id, "role": "buyer"}], []):
        assert ask("PATCH", f"/deals/{deal.id}", json={"contacts": parts}).status_code == 200
    changes = [
        (e["data"]["before"], e["data"]["after"]) for e in told(ask, f"/deals/{deal.id}", kind="changed")
    ]
    assert changes == [(["Rui Prado (buyer)"], []), ([], ["Rui Prado (buyer)"])]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("@ana look", ["ana"]), ("Ask @Ana Souza, please; and @BRUNO@acme.test.", ["ana", "bruno"]), ("@ana.", ["ana"]), ("(@bruno)", ["bruno"]),
        ("mail to x@ana.test or ana@acme.test", []), ("@anabel @ana-maria @ana.maria", []), ("@max", []), ("@Max Zwei", ["zwei"]),
        ("@gone", []), ("@", []), ("@@ana", ["ana"]), ("@ana @ana", ["ana"]), ("@" * 5000, []),
    ],
)  # fmt: skip
def test_who_is_mentioned_is_told_once(database: Database, text: str, wanted: list[str]) -> None:
    users = "\n".join(
        f"  - {{email: {e}@acme.test, name: {n}, active: {a}}}"
        for e, n, a in (
            ("ana", "Ana Souza", "true"),
            ("bruno", "Bruno", "true"),
            ("eins", "Max Eins", "true"),
            ("zwei", "Max Zwei", "true"),
            ("gone", "Gone", "false"),
        )
    )
    configure(f"workspace: {{name: Acme}}\nusers:\n{users}\n")
    with database.unit_of_work() as session:
        element = factories.deal(session)
        entry = comments.add(session, element, text, actor="token:x")
        told = session.scalars(select(Message.to_address).where(Message.effect_key.like("mention:%"))).all()
        assert told == entry.data.get("mentions", []) == [f"{w}@acme.test" for w in wanted]
        rows = session.scalars(select(User.email).join(Notification, Notification.user_id == User.id)).all()
        assert sorted(rows) == sorted(told)
        if wanted:
            me = session.scalars(select(User).where(User.email == f"{wanted[0]}@acme.test")).one()
            mine = comments.add(session, element, text, actor=f"user:{me.id}")
            assert me.email not in mine.data.get("mentions", [])


def test_pages_of_ten_thousand_entries_are_what_a_slow_look_finds_and_come_at_once(
    database: Database,
) -> None:
    chance = random.Random(7)
    with database.unit_of_work() as session:
        configure_and_fill(session, chance)
    with database.reading() as session:
        contact = session.scalars(select(Contact)).one()
        everything = session.scalars(timeline.of(session, contact)).all()
        for filters, fits in (
            (Filters(), lambda e: True),
            (Filters(("rare",)), lambda e: e.kind == "rare"),
            (
                Filters(("comment", "rare"), since=NOON),
                lambda e: e.kind in ("comment", "rare") and e.at >= NOON,
            ),
            (Filters(pinned=True), lambda e: e.pinned),
        ):
            wanted = sorted((e.id for e in everything if fits(e)), reverse=True)
            found: list[int] = []
            before: int | None = None
            for _ in range(12):
                rows = timeline.page(session, contact, filters, before=before, limit=50)
                found += [r.id for r in rows]
                if len(rows) < 50:
                    break
                before = rows[-1].id
            assert found == wanted[: len(found)]
            assert len(found) in (600, len(wanted))


def configure_and_fill(session: Any, chance: random.Random) -> None:
    factories.configure_in(session)
    lead = factories.enquire(session).lead
    contact = factories.contact(session, lead=lead)
    deals = [factories.deal(session, contact_id=contact.id) for _ in range(5)]
    other = factories.deal(session)
    rows = []
    for number in range(12_000):
        where = chance.choice(
            [
                {"lead_id": lead.id},
                {"contact_id": contact.id},
                {"deal_id": chance.choice(deals).id},
                {"deal_id": other.id},
            ]
        )
        nothing = {"lead_id": None, "contact_id": None, "deal_id": None}
        rows.append(
            {**nothing, **where, "at": NOON + timedelta(minutes=number - 9000), "kind": chance.choice(["comment", "call", "changed"]) if number % 500 else "rare",
             "summary": f"entry {number}", "data": {}, "actor": "user:1", "pinned": number % 777 == 0}
        )  # fmt: skip
    session.execute(insert(TimelineEntry), rows)
