"""A person's data is taken away whole, erased whole, and forgotten in time; what is counted stays."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select

from boot.commands import privacy as commands
from core import clock, db, storage
from core.errors import NotFound
from core.ids import new_id
from crm import activities, audit, carrying, contacts, conversion, leads, merging, privacy, timeline
from crm.conversion import Into
from crm.personal import BLANK, KEPT
from models import Base
from models.attachment import Attachment
from models.audit import AuditEntry
from models.call import Call
from models.consent import ConsentGiven
from models.contact import Contact
from models.contact_point import ContactPoint
from models.import_job import Duplicates, ImportJob, ImportRow, ImportState, RowOutcome
from models.inbound import EventState, InboundEvent
from models.lead import Lead
from models.message import Direction, Message, MessageState
from models.recording import Recording, RecordingState
from models.timeline import TimelineEntry
from tests.api.conftest import Ask, client, tokens  # noqa: F401
from tests.api.conftest import ask as asked
from tests.factories import NOON, configure, enquire, source
from worker import retention

ask = asked
SECRETS = ("Maria", "maria@client.test", "+5511987654321", "orçamento", "secret", "Padaria Sol", "Buyer")


def person(session: Any, event_id: str) -> tuple[Lead, Contact]:
    """Maria, with something of hers in every table that may have it."""
    lead = enquire(
        session,
        event_id=event_id,
        phones=("+5511987654321",),
        company="Padaria Sol",
        fields={"note": "secret"},
    ).lead
    line = source(session)
    session.add(
        InboundEvent(id=event_id, source_id=line.id, adapter="web-form", dedupe_key=event_id, state=EventState.PROCESSED, received_at=NOON, retry_at=NOON,
            lead_id=lead.id, content_type="text/plain", envelope={"url": "secret"}, body=b"Maria secret maria@client.test")
    )  # fmt: skip
    call = Call(
        source_id=line.id,
        provider="x",
        group_id="g",
        provider_call_id="p",
        facts={"a": "secret"},
        from_number="+5511987654321",
        transcript="Maria secret",
        heard_at=NOON,
        created_at=NOON,
        lead_id=lead.id,
    )
    session.add(call)
    session.flush()
    storage.put("calls/1", b"sound")
    storage.put("files/1", b"paper")
    session.add_all(
        [
            Recording(call_id=call.id, said="https://secret", state=RecordingState.KEPT, place="calls/1", created_at=NOON),
            Attachment(lead_id=lead.id, event_id=event_id, position=0, name="../../Maria secret.pdf", kind="pdf", size=5, digest="0", place="files/1", created_at=NOON),
            Message(direction=Direction.IN, state=MessageState.RECEIVED, effect_key="k", message_id="secret", thread="t", from_name="Maria", from_address="maria@client.test", subject="secret", text="Maria secret", created_at=NOON, lead_id=lead.id, event_id=event_id),
            ConsentGiven(lead_id=lead.id, event_id=event_id, source="contact", field="c", text="I agree", version="1", given=True, at=NOON, address="203.0.113.9 secret", page="https://secret"),
        ]
    )  # fmt: skip
    activities.plan(session, lead, type="call", subject="Call Maria", due_at=NOON, actor="t")
    timeline.record(session, lead, kind="comment", summary="secret", data={"text": "Maria secret"})
    leads.set_field(session, lead, "note", "secret too", actor="t")
    made = conversion.convert(session, lead, into=Into(frozenset({"contact", "deal"})), by="t")
    assert made.contact is not None
    made.contact.position = "Buyer"
    other = contacts.create(session, name="Maria S.", emails=["m@other.test"], actor="t")
    one, two = merging.pair(session, Contact, made.contact.id, other.id)
    merging.merge(session, one, two, by="t", choose={"name": "other"})
    return lead, one


def everything(session: Any) -> str:
    found = []
    for table in Base.metadata.sorted_tables:
        if table.name not in ("source", "workspace", "user_account", "template", "ruleset_version"):
            found += [repr(dict(row)) for row in session.execute(select(table)).mappings()]
    return "\n".join(found)


def counts(session: Any) -> dict[str, int]:
    tables = (
        "lead",
        "contact",
        "deal",
        "call",
        "message",
        "activity",
        "timeline_entry",
        "inbound_events",
        "consent_given",
    )
    return {t: session.scalar(select(func.count()).select_from(Base.metadata.tables[t])) for t in tables}


def test_erasing_leaves_nothing_of_the_person_and_all_that_is_counted(database: db.Database) -> None:
    configure()
    with database.unit_of_work() as session:
        _, contact = person(session, new_id())
        stranger = enquire(session, name="Rui Secreto", emails=("rui@x.test",), message="mine").lead
    with database.unit_of_work() as session:
        before, text = counts(session), everything(session)
        assert [word for word in SECRETS if word not in text] == []
        files = privacy.erase(
            session, privacy.of_contact(session, session.get_one(Contact, contact.id)), by="user:1"
        )
        assert sorted(files) == ["calls/1", "files/1"]
        session.flush()
        text = everything(session)
        assert [word for word in (*SECRETS, "other.test") if word in text] == []
        after = counts(session)
        assert after.pop("timeline_entry") == before.pop("timeline_entry") + 3  # that it was erased, on each
        assert after == before
        assert session.get_one(Lead, stranger.id).name == "Rui Secreto"
        again = enquire(session).lead
        assert again.person_id not in session.scalars(select(Lead.person_id).where(Lead.id != again.id)).all()
        assert set(session.scalars(select(ContactPoint.value))) == {"rui@x.test", "maria@client.test"}


def test_each_column_that_may_tell_of_a_person_is_blanked_or_known_to_tell_nothing() -> None:
    plain = ("BigInteger", "Moment", "Boolean", "Integer", "Enum", "Exact", "Variant")
    referring = {c.table.name for kind in ("lead", "contact") for c in carrying.references(kind)} | {
        "lead",
        "contact",
        "step",
        "call_order",
        "activity_participant",
    }
    for name in referring | set(BLANK):
        text = {c.name for c in Base.metadata.tables[name].columns if type(c.type).__name__ not in plain}
        known = set(BLANK.get(name, ())) | KEPT.get(name, frozenset())
        assert text - known - ({"lead_id"} if name == "import_row" else set()) == set(), name


def test_the_archive_has_rows_raw_bytes_files_and_recordings(ask: Ask, database: db.Database) -> None:
    event_id = new_id()
    with database.unit_of_work() as session:
        lead, contact = person(session, event_id)
        lead_id, contact_id = lead.id, contact.id
    told = ask("GET", f"/contacts/{contact_id}/data")
    assert told.content_type == "application/zip"
    with zipfile.ZipFile(io.BytesIO(told.data)) as archive:
        names = archive.namelist()
        assert {
            "data/lead.json",
            "data/message.json",
            "data/timeline_entry.json",
            f"raw/{event_id}",
            "calls/1",
        } <= set(names)
        assert [n for n in names if n.startswith("files/")] == ["files/1-_.._Maria_secret.pdf"]
        assert archive.read(f"raw/{event_id}").startswith(b"Maria")
        assert archive.read("calls/1") == b"sound"
        assert json.loads(archive.read("data/lead.json"))[0]["email"] == "maria@client.test"
    assert ask("POST", f"/contacts/{contact_id}/erase", json={"confirm": "yes"}).status_code == 422
    assert ask("POST", f"/leads/{lead_id}/erase", json={"confirm": "erase"}, role="agent").status_code == 403
    done = ask("POST", f"/leads/{lead_id}/erase", json={"confirm": "erase"})
    assert (done.status_code, done.json["files"]) == (200, 2)
    assert ask("GET", f"/contacts/{contact_id}").json["email"] is None
    with pytest.raises(Exception, match=r"calls/1|not"):
        storage.get("calls/1")
    for _ in range(60):
        audit.note("token:x", "GET", "/leads/1", 1)
    assert ask("GET", f"/contacts/{contact_id}").status_code == 200
    rows = ask("GET", f"/audit?place=contacts&element={contact_id}").json["items"]
    assert [(r["actor"], r["action"], r["what"]) for r in rows] == [
        ("token:admin", "saw", ""), ("token:admin", "saw", ""), ("token:admin", "exported", "data"),
    ]  # fmt: skip
    assert ("token:admin", "erased") in {
        (r["actor"], r["action"]) for r in ask("GET", "/audit?place=leads&action=erased").json["items"]
    }
    assert ask("GET", "/audit", role="manager").status_code == 403


RETENTION = "workspace: {name: Acme, country: BR, retention: [{kind: raw, days: 10, source: contact}, {kind: mails, days: 10}, {kind: recordings, days: 10}, {kind: files, days: 10}, {kind: imports, days: 10}, {kind: junk, days: 10}, {kind: audit, days: 10}]}\nforms: [{key: contact}, {key: open}]"


def test_what_was_kept_long_enough_is_forgotten_by_source_and_kind(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "begin", lambda: None)
    configure(RETENTION)
    with clock.frozen(NOON):
        with database.unit_of_work() as session:
            person(session, new_id())
            junk = enquire(session, name="Spam", emails=("s@spam.test",)).lead
            leads.move(session, junk, "junk", actor="t")
            other = new_id()
            session.add(
                InboundEvent(
                    id=other,
                    source_id=source(session, "open").id,
                    adapter="x",
                    dedupe_key="o",
                    state=EventState.PROCESSED,
                    received_at=NOON,
                    retry_at=NOON,
                    content_type="x",
                    envelope={},
                    body=b"kept",
                )
            )
            job = ImportJob(
                source_id=source(session).id,
                name="x.csv",
                kind="csv",
                reading={},
                place="imports/x",
                size=1,
                columns=[],
                duplicates=Duplicates.SKIP,
                rules=False,
                tags=[],
                state=ImportState.DONE,
                total=501,
                due_at=NOON,
                by="t",
                created_at=NOON,
            )
            session.add(job)
            session.flush()
            session.add(
                ImportRow(job_id=job.id, number=2, outcome=RowOutcome.FAILED, reason="Maria", cells=["Maria"])
            )
            for name in ("file", "000000", "000001"):
                storage.put(f"imports/x/{name}", b"Maria")
            audit.note("user:1", "GET", "/leads/1", 1)
            audit.write(session)
        assert retention.forget() == {}
    with clock.frozen(NOON + timedelta(days=11)):
        done = CliRunner().invoke(commands.privacy, ["forget"])
        assert (
            done.output.strip() == "raw: 1, mails: 1, recordings: 1, files: 1, imports: 1, junk: 1, audit: 1"
        )
        assert retention.forget() == {}
    with database.reading() as session:
        bodies = {e.id == other: e.body for e in session.scalars(select(InboundEvent).options())}
        assert bodies == {False: b"", True: b"kept"}
        assert session.scalars(select(Message.text)).all() == [""]
        assert session.get_one(Lead, junk.id).email is None
        assert "Maria Souza" in session.scalars(select(Lead.name)).all()
        assert session.scalars(select(AuditEntry)).all() == []
        row = session.scalars(select(ImportRow)).one()
        assert (row.cells, row.reason) == (None, "")
        for name in ("file", "000000", "000001"):
            with pytest.raises(NotFound):
                storage.get(f"imports/x/{name}")
        assert (
            session.scalars(select(TimelineEntry).where(TimelineEntry.kind == "erased")).one().actor
            == "retention"
        )


def test_the_commands_take_erase_and_show(
    database: db.Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr(commands, "begin", lambda: None)
    configure()
    with database.unit_of_work() as session:
        lead, _ = person(session, new_id())
        audit.note("user:7", "PATCH", f"/leads/{lead.id}", lead.id)
        audit.write(session)
    run = CliRunner().invoke
    assert (
        run(commands.privacy, ["export", "lead", str(lead.id), "-o", str(tmp_path / "x.zip")]).exit_code == 0
    )
    assert zipfile.is_zipfile(tmp_path / "x.zip")
    assert run(commands.privacy, ["erase", "lead", str(lead.id)], input="n\n").exit_code == 1
    assert "2 files" in run(commands.privacy, ["erase", "lead", str(lead.id), "--yes"]).output
    assert run(commands.privacy, ["erase", "contact", "999", "--yes"]).exit_code == 1
    assert "user:7  changed  leads" in run(commands.privacy, ["audit"]).output
