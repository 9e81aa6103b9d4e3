"""What may be there twice is found once, and people say what it is."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from click.testing import CliRunner
from sqlalchemy import select
from sqlalchemy.orm import Session

from boot.commands import merging as commands
from core import clock, db
from core.errors import Conflict
from crm import changes, companies, contacts, conversion, duplicate_pairs, merging
from crm.conversion import Into
from intake import claims, journal
from intake.delivery import Delivery
from models.contact import Contact
from models.duplicate import DuplicatePair, PairState
from models.lead import Lead, LeadStatus
from models.merge import Merge
from tests.factories import NOON, configure, enquire, source
from worker import duplicates as sweeping


def pairs(session: Session) -> list[tuple[str, int, int, PairState]]:
    rows = session.scalars(select(DuplicatePair).order_by(DuplicatePair.kind, DuplicatePair.id))
    return [(r.kind, r.first_id, r.second_id, r.state) for r in rows]


def test_what_is_new_is_looked_at_and_what_was_changed_once_a_day(database: db.Database) -> None:
    with clock.frozen(NOON):
        configure()
        with database.unit_of_work() as session:
            for name, address in (
                ("Maria Souza", "m@a.test"),
                ("Mária de Souza", "m@b.test"),
                ("Rui", "r@c.test"),
            ):
                contacts.create(session, name=name, emails=[address], actor="t")
            companies.create(session, name="Sol Ltda.", actor="t")
            enquire(session, emails=("x@x.test",), name="Eva Braun")
            enquire(session, emails=("y@x.test",), name="Eva Brauns")
        assert {k: (s.looked_at, s.found) for k, s in sweeping.sweep().items()} == {
            "lead": (2, 1), "contact": (3, 1), "company": (1, 0),
        }  # fmt: skip
        with database.unit_of_work() as session:
            companies.create(session, name="SOL", actor="t")
            rui = session.get_one(Contact, 3)
            changes.change(session, rui, {"name": "Maria Sousa"}, actor="t")
        assert {k: (s.looked_at, s.found) for k, s in sweeping.sweep().items()} == {
            "lead": (0, 0), "contact": (0, 0), "company": (1, 1),
        }  # fmt: skip
    with clock.frozen(NOON + timedelta(days=1, minutes=1)):
        assert sweeping.sweep()["contact"].found == 1
        assert sweeping.sweep()["contact"] == duplicate_pairs.Swept(0, 0)
        with database.unit_of_work() as session:
            duplicate_pairs.begin_anew(session)
        assert sweeping.sweep()["contact"] == duplicate_pairs.Swept(3, 0)  # found once
    with database.unit_of_work() as session:
        assert pairs(session) == [
            ("company", 1, 2, PairState.OPEN), ("contact", 1, 2, PairState.OPEN), ("contact", 1, 3, PairState.OPEN), ("lead", 1, 2, PairState.OPEN),
        ]  # fmt: skip
        one, two = merging.pair(session, Contact, 1, 2)
        made = merging.merge(session, one, two, by="t")
        assert {(r.kind, r.first_id, r.second_id) for r in session.scalars(duplicate_pairs.standing())} == {
            ("company", 1, 2), ("contact", 1, 3), ("lead", 1, 2),
        }  # fmt: skip
        merging.split(session, made, by="t")
        assert ("contact", 1, 2, PairState.DISMISSED) in pairs(session)
        pair = session.scalars(select(DuplicatePair).where(DuplicatePair.kind == "company")).one()
        duplicate_pairs.dismiss(session, pair, by="t")
        merged = session.scalars(select(DuplicatePair).where(DuplicatePair.second_id == 3)).first()
        assert merged is not None
        merged.state = PairState.MERGED
        with pytest.raises(Conflict):
            duplicate_pairs.dismiss(session, merged, by="t")


def test_a_look_writes_nothing_and_counts_once_and_for_what_is_still_there(database: db.Database) -> None:
    configure()
    with database.unit_of_work() as session:
        for address in ("x@x.test", "y@x.test", "z@x.test"):
            enquire(session, emails=(address,), name="Eva Braun")
    with database.reading() as session:
        seen = duplicate_pairs.look(session, "lead", most=20)
        assert not session.new
        assert not session.dirty
    with database.unit_of_work() as session:
        session.get_one(Lead, 3).status = LeadStatus.JUNK
    with database.unit_of_work() as session:
        assert duplicate_pairs.record(session, seen) == duplicate_pairs.Swept(3, 1)
        assert duplicate_pairs.record(session, seen) == duplicate_pairs.Swept(0, 0)  # another was first
    with database.reading() as session:
        assert pairs(session) == [("lead", 1, 2, PairState.OPEN)]
        assert duplicate_pairs.look(session, "lead", most=20).changes_nothing


def test_while_enquiries_wait_only_a_few_are_looked_at(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "_AT_ONCE", 1)
    configure()
    with database.unit_of_work() as session:
        for name in ("Sol", "Mar", "Rio"):
            companies.create(session, name=name, actor="t")
        delivery = Delivery(body=b"", content_type="text/plain", received_at=clock.now())
        (waits,) = journal.append(session, [journal.Entry(source(session).id, "form", "k", delivery)])
    with clock.frozen(clock.now() + timedelta(seconds=2)):
        assert sweeping.sweep()["company"].looked_at == 1
        with database.unit_of_work() as session:
            claims.take(session.connection(), waits.event_id)
        assert sweeping.sweep()["company"].looked_at == 2


def test_the_commands_sweep_list_and_dismiss(database: db.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "begin", lambda: None)
    with database.unit_of_work() as session:
        for name in ("Sol", "Sol Ltda"):
            companies.create(session, name=name, actor="t")
    run = CliRunner().invoke
    assert "company: 2 looked at, 1 pairs found" in run(commands.duplicates, ["sweep", "--all"]).output
    assert "company 1 and 2" in run(commands.duplicates, ["list"]).output
    assert run(commands.duplicates, ["dismiss", "1"]).exit_code == 0
    assert run(commands.duplicates, ["dismiss", "9"]).exit_code == 1
    assert "Nothing" in run(commands.duplicates, ["list"]).output


def test_two_leads_of_one_person_converted_at_once_have_one_contact(database: db.Database) -> None:
    configure()
    with database.unit_of_work() as session:
        first = enquire(session).lead
        first.status = LeadStatus.JUNK
        session.flush()
        ids = [first.id, *(enquire(session, key="open").lead.id for _ in range(1))]
        first.status = LeadStatus.NEW
    start = threading.Barrier(6)
    errors: list[Exception] = []

    def convert(lead_id: int) -> None:
        start.wait()
        try:
            with database.unit_of_work() as session:
                lead = session.get_one(Lead, lead_id, with_for_update={"of": Lead})
                conversion.convert(session, lead, into=Into(frozenset({"contact"})), by="t")
        except Conflict:
            pass  # somebody else has converted it
        except Exception as error:  # noqa: BLE001
            errors.append(error)

    def create() -> None:
        start.wait()
        try:
            with database.unit_of_work() as session:
                contacts.create(session, name="Maria", emails=["maria@client.test"], actor="t")
        except Conflict:
            pass  # there is one already
        except Exception as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=convert, args=(i,)) for i in ids * 2]
    threads += [threading.Thread(target=create) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with database.reading() as session:
        (contact,) = session.scalars(select(Contact))
        leads = session.scalars(select(Lead).where(Lead.id.in_(ids))).all()
        assert {(lead.status, lead.contact_id) for lead in leads} == {(LeadStatus.CONVERTED, contact.id)}
        assert session.scalars(select(Merge)).all() == []
