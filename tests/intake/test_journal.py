"""The journal: one row an event however often it comes, one claim at a time."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from core import clock, db
from core.errors import Unavailable
from intake import claims, journal
from intake.delivery import Delivery
from intake.journal import Entry
from intake.writer import Writer
from models.inbound import EventState, InboundEvent
from tests.factories import configure, source


def entry(source_id: int, key: str, body: bytes = b"name=x", again: str | None = None) -> Entry:
    delivery = Delivery(body=body, content_type="application/x-www-form-urlencoded", received_at=clock.now())
    return Entry(source_id, "form", key, delivery, again)


@pytest.fixture
def source_id(database: db.Database) -> int:
    configure()
    with database.reading() as session:
        return source(session).id


def count(database: db.Database) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(InboundEvent)) or 0


def test_the_same_event_twice_in_one_group_is_one_row(database: db.Database, source_id: int) -> None:
    with database.unit_of_work() as session:
        one, two, three = journal.append(
            session, [entry(source_id, "a"), entry(source_id, "b"), entry(source_id, "a")]
        )
    assert one.new
    assert two.new
    assert three == journal.Receipt(one.event_id, new=False)
    assert count(database) == 2


def test_the_same_event_later_gets_the_first_receipt(database: db.Database, source_id: int) -> None:
    with database.unit_of_work() as session:
        first = journal.append(session, [entry(source_id, "a")])[0]
    with database.unit_of_work() as session:
        again, neighbour = journal.append(session, [entry(source_id, "c", again="a"), entry(source_id, "d")])
    assert again == journal.Receipt(first.event_id, new=False)
    assert neighbour.new
    assert count(database) == 2


def test_a_hundred_deliveries_at_once_are_one_event(database: db.Database, source_id: int) -> None:
    writer = Writer()
    receipts: list[journal.Receipt] = []
    threads = [
        threading.Thread(target=lambda: receipts.extend(writer.journal([entry(source_id, "same")])))
        for _ in range(100)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.stop()
    assert len({r.event_id for r in receipts}) == 1
    assert sum(r.new for r in receipts) == 1
    assert count(database) == 1


def test_what_the_writer_accepted_is_committed_with_its_bytes(database: db.Database, source_id: int) -> None:
    writer = Writer()
    body = bytes(range(256))
    (receipt,) = writer.journal([entry(source_id, "bytes", body)])
    with database.reading() as session:
        assert session.get_one(InboundEvent, receipt.event_id).body == body
    writer.stop()


def test_one_entry_the_database_will_not_take_does_not_harm_its_neighbours(
    database: db.Database, source_id: int
) -> None:
    writer = Writer()
    results: dict[str, object] = {}

    def send(key: str, owner: int) -> None:
        try:
            results[key] = writer.journal([entry(owner, key)])[0].new
        except Exception as error:  # noqa: BLE001  compared below
            results[key] = type(error).__name__

    threads = [
        threading.Thread(target=send, args=(f"k{n}", source_id if n != 5 else 999_999)) for n in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.stop()
    assert results.pop("k5") == "IntegrityError"
    assert set(results.values()) == {True}


def test_nothing_is_accepted_while_the_database_is_away(
    database: db.Database, source_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = Writer()

    def gone(**_: object) -> None:
        raise Unavailable("the database does not answer")

    with monkeypatch.context() as patched:
        patched.setattr(db, "unit_of_work", gone)
        with pytest.raises(Unavailable):
            writer.journal([entry(source_id, "a")])
    assert writer.journal([entry(source_id, "a")])[0].new  # and it goes on when the database is back
    writer.stop()


def test_an_event_is_claimed_by_one_and_taken_over_after_the_lease(
    database: db.Database, source_id: int
) -> None:
    with database.unit_of_work() as session:
        event_id = journal.append(session, [entry(source_id, "a")])[0].event_id
    with database.unit_of_work() as session:
        first = claims.take(session.connection(), event_id)
    with database.unit_of_work() as session:
        assert claims.take(session.connection(), event_id) is None
    with clock.frozen(clock.now() + claims.LEASE + timedelta(seconds=1)):
        with database.unit_of_work() as session:
            second = claims.take(session.connection(), event_id)
        assert first is not None
        assert second is not None
        assert second.held == claims.Claim(event_id, 2)
        with database.unit_of_work() as session:
            assert claims.claimed(session, first.held) is None  # a worker that was frozen has lost its right
            event = claims.claimed(session, second.held)
            assert event is not None
            journal.close(event, EventState.PROCESSED)
    with database.unit_of_work() as session:
        assert claims.take(session.connection(), event_id) is None


def test_a_failure_is_tried_again_after_a_growing_wait(database: db.Database, source_id: int) -> None:
    with database.unit_of_work() as session:
        event_id = journal.append(session, [entry(source_id, "a")])[0].event_id
    moment, waits = clock.now(), []
    for _ in range(3):
        with clock.frozen(moment), database.unit_of_work() as session:
            taken = claims.take(session.connection(), event_id)
            assert taken is not None
            event = claims.claimed(session, taken.held)
            assert event is not None
            journal.postpone(event, error="not now")
            waits.append((event.retry_at - moment).total_seconds())
            moment = event.retry_at
    assert waits == [1, 4, 9]


def test_an_error_of_the_database_does_not_tell_a_person_s_data(
    database: db.Database, source_id: int
) -> None:
    with pytest.raises(IntegrityError) as caught, database.unit_of_work() as session:
        journal.append(session, [entry(999_999, "a", b"secret@client.test")])
    assert "secret@client.test" not in str(caught.value)
