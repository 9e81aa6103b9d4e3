"""Imports: brought in batch by batch by whoever is there, once, and taken back."""

from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from core import clock, db
from core.errors import Unavailable
from crm import importing, leads, removal
from crm.imported import kinds
from intake import import_jobs, import_report
from intake.import_jobs import Order
from models import Base
from models.activity import Activity
from models.company import Company
from models.contact import Contact
from models.contact_point import ContactPoint, Person
from models.import_job import Duplicates, Imported, ImportJob, ImportRow, ImportState, RowOutcome
from models.lead import Lead, LeadStatus
from models.lease import Lease
from models.rule import Run, Trace
from models.timeline import TimelineEntry
from models.user import Team
from tests.factories import NOON, configure, enquire
from worker import clockwork, imports

RULES = "  - {name: all, on: lead.created, do: [assign: {team: inbound}, schedule: {type: call, subject: Call, due: 1 hours}]}"
FILE = """Name;Email;Phone;Company;Employees
Ana Souza;ana@client.test;+5511987654321;Acme;200
Bia;bia@client.test;;;3
Ana S.;ANA@client.test;;;
Nobody;no address;;;
Caio;;11 98765-0000;;
"""


@pytest.fixture(autouse=True)
def workspace(database: db.Database) -> None:
    configure(rules=RULES)


def begin(text: str = FILE, **order: Any) -> int:
    with db.unit_of_work() as session:
        job = import_jobs.create(
            session, io.BytesIO(text.encode()), "leads.csv", Order(**order), by="token:test"
        )
        import_jobs.start(session, job)
    return job.id


def run(job_id: int) -> ImportJob:
    for _ in range(50):
        imports.advance(job_id)
        with db.reading() as session:
            job = session.get_one(ImportJob, job_id)
        if job.state not in (ImportState.WAITING, ImportState.UNDOING):
            return job
    raise AssertionError("it does not end")


def all_leads() -> list[Lead]:
    with db.reading() as session:
        return list(session.scalars(select(Lead).order_by(Lead.id)))


def rows(job_id: int) -> dict[int, ImportRow]:
    with db.reading() as session:
        return {r.number: r for r in session.scalars(select(ImportRow).where(ImportRow.job_id == job_id))}


def count(*tables: type[Base]) -> list[int]:
    with db.reading() as session:
        return [session.scalar(select(func.count()).select_from(t)) or 0 for t in tables]


def counts(job: ImportJob) -> dict[str, int]:
    names = ("created", "updated", "skipped", "failed", "removed", "restored", "kept")
    return {name: number for name in names if (number := getattr(job, name))}


def test_rows_become_leads_and_the_others_say_why_not() -> None:
    job = run(begin(owner="Ana", tags=["fair"]))
    assert (job.state, job.total, counts(job)) == (
        ImportState.DONE,
        5,
        {"created": 3, "skipped": 1, "failed": 1},
    )
    ana, bia, caio = all_leads()
    assert (ana.name, ana.email, ana.phone, ana.company) == (
        "Ana Souza",
        "ana@client.test",
        "+5511987654321",
        "Acme",
    )
    assert (ana.fields, ana.tags, ana.channel.value, ana.status) == (
        {"employees": 200},
        ["fair"],
        "import",
        LeadStatus.NEW,
    )
    assert (ana.owner_id, bia.fields, caio.phone) == (bia.owner_id, {"employees": 3}, "+5511987650000")
    told = rows(job.id)
    assert (told[4].outcome, told[4].reason, told[4].lead_id) == (
        RowOutcome.SKIPPED,
        f"the person has lead {ana.id}",
        ana.id,
    )
    assert told[5].reason == "Email: 'no address' is no e-mail address"
    with db.reading() as session:
        lines = list(import_report.error_lines(session, job))
    assert lines[1:] == ["5,Email: 'no address' is no e-mail address,Nobody,no address,,,\r\n"]


def test_rules_react_only_where_they_are_asked_to() -> None:
    run(begin())
    assert count(Run, Activity, Trace) == [0, 0, 0]
    assert {lead.owner_id for lead in all_leads()} == {None}
    run(begin("Name,Email\nDora,dora@client.test\nEva,eva@client.test\n", rules=True))
    assert count(Run, Activity) == [2, 2]
    assert len({lead.owner_id for lead in all_leads()[3:]} - {None}) == 2


def test_known_people_are_skipped_updated_or_added_to() -> None:
    with db.unit_of_work() as session:
        known = enquire(session, emails=("ana@client.test",), name="Ana", message="").lead.id
    assert counts(run(begin(duplicates=Duplicates.SKIP)))["skipped"] == 2
    assert all_leads()[0].name == "Ana"
    updated = run(
        begin(
            "Name;Email;Company;Employees\nAna Souza;ana@client.test;Acme;200\n", duplicates=Duplicates.UPDATE
        )
    )
    assert counts(updated) == {"updated": 1}
    (ana, *_) = all_leads()
    assert (ana.id, ana.name, ana.company, ana.fields["employees"]) == (known, "Ana Souza", "Acme", 200)
    before = len(all_leads())
    assert counts(run(begin(duplicates=Duplicates.ADD)))["created"] == 4
    assert len(all_leads()) == before + 4
    assert (
        len({lead.person_id for lead in all_leads() if (lead.email or "").lower() == "ana@client.test"}) == 1
    )


def test_a_worker_that_dies_in_the_middle_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "Name,Email\n" + "".join(f"P{n},p{n}@client.test\n" for n in range(450))
    job_id = begin(text)
    assert imports.advance(job_id)  # it is read through
    monkeypatch.setattr(imports, "_SLICE_SECONDS", 60)  # however slow the machine
    wrote = importing.bring_in
    calls = 0

    def dies(*given: Any) -> Any:
        nonlocal calls
        calls += 1
        made = wrote(*given)
        if calls == 3:
            raise SystemExit  # after the rows were written, before they were committed
        return made

    monkeypatch.setattr(importing, "bring_in", dies)
    monkeypatch.setattr("intake.lease.release", lambda *_: None)  # who is dead gives nothing back
    with pytest.raises(SystemExit):
        imports.advance(job_id)
    monkeypatch.undo()
    with db.reading() as session:
        assert session.get_one(ImportJob, job_id).position == 200
    assert imports.advance(job_id)  # another one is at work, as far as anybody knows
    assert len(all_leads()) == 200
    with db.unit_of_work() as session:
        session.get_one(Lease, import_jobs.LEASE_NAME).expires_at = clock.now() - timedelta(seconds=1)
    job = run(job_id)
    assert (counts(job), job.position) == ({"created": 450}, 450)
    assert sorted(lead.email or "" for lead in all_leads()) == sorted(f"p{n}@client.test" for n in range(450))


def test_a_worker_that_dies_over_contacts_costs_nothing_either(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "Name,Email,Company\n" + "".join(f"P{n},p{n}@client.test,Firm {n % 7}\n" for n in range(250))
    job_id = begin(text, what=Imported.CONTACT)
    assert imports.advance(job_id)
    wrote, calls = kinds.bring_in, 0

    def dies(*given: Any) -> Any:
        nonlocal calls
        calls += 1
        made = wrote(*given)
        if calls == 2:
            raise SystemExit
        return made

    monkeypatch.setattr(imports, "_SLICE_SECONDS", 60)
    monkeypatch.setattr(kinds, "bring_in", dies)
    monkeypatch.setattr("intake.lease.release", lambda *_: None)
    with pytest.raises(SystemExit):
        imports.advance(job_id)
    monkeypatch.undo()
    assert count(Contact, Company) == [100, 7]
    with db.unit_of_work() as session:
        session.get_one(Lease, import_jobs.LEASE_NAME).expires_at = clock.now() - timedelta(seconds=1)
    job = run(job_id)
    assert (counts(job), job.position, count(Contact, Company)) == ({"created": 250}, 250, [250, 7])


def test_who_was_thought_dead_writes_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = begin("Name,Email\nA,a@client.test\n")
    imports.advance(job_id)
    with db.reading() as session:
        seen = session.get_one(ImportJob, job_id)
    read = imports._rows(seen)
    run(job_id)
    with db.unit_of_work() as session:
        assert not imports._write(session, seen, read, "late", careful=False)
    with db.unit_of_work() as session:
        session.merge(
            Lease(
                name=import_jobs.LEASE_NAME, holder="x", token=9, expires_at=clock.now() + timedelta(hours=1)
            )
        )
    with pytest.raises(Unavailable), db.unit_of_work() as session:
        imports._write(session, seen, read, "late", careful=False)
    assert len(all_leads()) == 1


def test_one_row_that_breaks_costs_itself_only(monkeypatch: pytest.MonkeyPatch) -> None:
    made = importing._created

    def breaks(entry: Any, lead: Lead) -> Any:
        if lead.name == "Bia":
            raise RuntimeError("no luck")
        return made(entry, lead)

    monkeypatch.setattr(importing, "_created", breaks)
    job = run(begin())
    assert counts(job) == {"created": 2, "skipped": 1, "failed": 2}
    assert rows(job.id)[3].reason == "RuntimeError"


def test_what_never_gets_on_is_given_up_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: Any) -> None:
        raise RuntimeError("no luck")

    job_id = begin()
    monkeypatch.setattr("worker.import_rows.keep", breaks)
    for n in range(20):
        with clock.frozen(clock.now() + timedelta(minutes=n)):
            imports.advance(job_id)
    with db.reading() as session:
        job = session.get_one(ImportJob, job_id)
    assert (job.state, job.error, job.tries) == (ImportState.STOPPED, "RuntimeError: no luck", 5)
    assert all_leads() == []


def test_an_import_is_taken_back_as_far_as_nobody_touched_it() -> None:
    with db.unit_of_work() as session:
        known = enquire(session, emails=("zoe@client.test",), name="Zoe", message="").lead.id
    before = count(Lead, Person, ContactPoint, TimelineEntry)
    text = FILE + "Zoe Lima;zoe@client.test;;Zoe Ltda;\n"
    job_id = run(begin(text, duplicates=Duplicates.UPDATE)).id
    with db.unit_of_work() as session:
        lead = session.scalars(select(Lead).where(Lead.name == "Bia")).one()
        leads.add_tag(session, lead, "vip", actor="user:1")
        import_jobs.undo(session, session.get_one(ImportJob, job_id))
    job = run(job_id)
    assert job.state is ImportState.UNDONE
    assert (job.removed, job.restored, job.kept) == (2, 2, 1)
    told = rows(job_id)
    assert {n: told[n].outcome.value for n in told} == {
        2: "removed", 3: "kept", 4: "restored", 5: "failed", 6: "removed", 7: "restored",
    }  # fmt: skip
    assert told[3].reason == "something happened to it since"
    zoe, bia = all_leads()
    assert (zoe.id, zoe.name, zoe.company, bia.name) == (known, "Zoe", None, "Bia")
    assert count(Lead, Person, ContactPoint)[:3] == [n + 1 for n in before[:3]]


def test_with_rules_the_routing_goes_too() -> None:
    job_id = run(begin(rules=True)).id
    with db.unit_of_work() as session:
        import_jobs.undo(session, session.get_one(ImportJob, job_id))
    assert run(job_id).removed == 3
    assert count(Lead, Person, ContactPoint, TimelineEntry, Run, Trace, Activity) == [0] * 7


def test_a_file_that_ends_in_nonsense_stops_with_the_reason() -> None:
    text = "Name,Email\n" + "A,a@client.test\n" * 300 + "x," * 2000 + "\n"
    job = run(begin(text))
    assert (job.state, job.error) == (ImportState.STOPPED, "row 302 has 2001 columns; at most 500 are read")
    assert all_leads() == []


def test_what_arrives_meanwhile_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(imports.claims, "longest_wait", lambda _: timedelta(seconds=len(waited) < 3))
    monkeypatch.setattr(imports.time, "sleep", waited.append)
    run(begin("Name,Email\n" + "".join(f"P{n},p{n}@client.test\n" for n in range(150))))
    assert waited == [0.1] * 3


def test_an_old_lead_that_nobody_wanted_sets_off_no_alarm() -> None:
    run(begin())
    with clock.frozen(NOON + timedelta(days=400)):
        assert clockwork.waiting_leads() == 0
    with db.reading() as session:
        assert session.scalars(select(TimelineEntry).where(TimelineEntry.kind == "alarm")).all() == []


def test_every_table_that_hangs_on_a_lead_is_known_to_who_removes_it() -> None:
    text = Path(removal.__file__).read_text()
    hanging = {
        mapper.class_.__name__
        for mapper in Base.registry.mappers
        if mapper.class_ not in (ImportRow, Team) and "lead_id" in mapper.columns
    }
    assert {name for name in hanging if name not in text} == set()
