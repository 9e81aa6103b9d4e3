"""The doorbell: wakes at once, loses nothing when it is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
import redis
from dramatiq import Worker
from sqlalchemy import text

from boot import worker as boot_worker
from boot.broker import EmbeddedBroker, answers
from core import clock, db, queue
from core.redis_broker import BellBroker
from core.settings import settings
from intake import claims, journal, lease
from intake.delivery import Delivery
from models.inbound import EventState, InboundEvent
from tests.factories import configure, source
from tests.servers.port import wait_for
from worker import actors, executor, schedule
from worker.sweeper import Sweeper


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PORTARIA_DATA_DIR", str(tmp_path_factory.mktemp("broker")))
        settings.cache_clear()
        broker = EmbeddedBroker(settings())
        yield broker.start()
        broker.stop()
        settings.cache_clear()


@pytest.fixture
def broker(server: str) -> Iterator[BellBroker]:
    made = BellBroker(server)
    made.client.flushall()
    yield made
    made.close()
    made.client.close()


def entry(n: int) -> str:
    with db.unit_of_work() as session:
        delivery = Delivery(
            body=f"name=Ana&email=a{n}%40client.test".encode(),
            content_type="application/x-www-form-urlencoded",
            received_at=clock.now(),
        )
        return journal.append(
            session, [journal.Entry(source(session, "open").id, "form", f"k{n}", delivery)]
        )[0].event_id


def state(event_id: str) -> EventState:
    with db.reading() as session:
        return session.get_one(InboundEvent, event_id).state


def test_the_names_that_are_rung_are_the_actors_that_are_declared(broker: BellBroker) -> None:
    actors.declare(broker, threads=2)
    assert broker.get_declared_actors() == set(queue.QUEUES)
    assert {broker.get_actor(name).queue_name for name in queue.QUEUES} == set(queue.QUEUES.values())


def test_an_idle_worker_wakes_at_once(database: db.Database, broker: BellBroker) -> None:
    configure()
    actors.declare(broker, threads=2)
    worker = Worker(broker, worker_threads=2, worker_timeout=1000)
    worker.start()
    queue.configure(broker)
    try:
        time.sleep(1.2)  # long enough for a polling consumer to have backed off
        waits = []
        for n in range(5):
            start = time.monotonic()
            event_id = entry(n)
            wait_for(lambda e=event_id: state(e) is EventState.PROCESSED, 5, "not processed", every=0.002)  # type: ignore[misc]
            waits.append(time.monotonic() - start)
            time.sleep(0.3)
        assert sorted(waits)[2] < 0.3
    finally:
        queue.configure(None)
        worker.stop()


def test_what_was_rung_before_the_worker_came_is_found(database: db.Database, broker: BellBroker) -> None:
    configure()
    queue.configure(broker)
    events = [entry(n) for n in range(40)]
    queue.configure(None)
    actors.declare(broker, threads=4)
    worker = Worker(broker, worker_threads=4, worker_timeout=1000)
    worker.start()
    try:
        wait_for(
            lambda: all(state(e) is EventState.PROCESSED for e in events), 20, "not all processed", every=0.1
        )
    finally:
        worker.stop()


def test_what_comes_just_now_does_not_wait_for_a_backlog(
    server: str, broker: BellBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []
    go_on = threading.Event()

    def process(event_id: str) -> None:
        taken.append(event_id)
        if event_id.startswith("old"):
            go_on.wait(10)

    monkeypatch.setattr(executor, "process_event", process)
    broker.enqueue_all(queue.message(queue.PROCESS_BACKLOG, f"old {n}") for n in range(20))
    broker.enqueue(queue.message(queue.PROCESS_EVENT, "new"))
    workers = boot_worker.workers(server, threads=2)
    for worker in workers:
        worker.start()
    try:
        wait_for(lambda: {"new", "old 0"} <= set(taken), 5, "not both taken", every=0.01)
        assert len(taken) == 2  # of the backlog one at a time
        go_on.set()
        wait_for(lambda: len(taken) == 21, 5, "the backlog is not worked off", every=0.01)
    finally:
        go_on.set()
        boot_worker.stop(workers)


def test_a_transaction_that_fails_rings_nothing(database: db.Database, broker: BellBroker) -> None:
    broker.declare_queue("events")
    queue.configure(broker)
    try:
        with pytest.raises(ZeroDivisionError), database.unit_of_work() as session:
            queue.wake(session, queue.PROCESS_EVENT, "never")
            raise ZeroDivisionError
        with database.unit_of_work() as session:
            queue.wake(session, queue.PROCESS_EVENT, "once")
            session.execute(text("SELECT 1"))
            assert broker.do_qsize("events") == 0  # not before the commit
        wait_for(lambda: broker.do_qsize("events") == 1, 3, "not rung")
    finally:
        queue.configure(None)


def test_a_broker_that_is_away_delays_nobody(database: db.Database) -> None:
    configure()
    queue.configure(BellBroker("redis://127.0.0.1:1"))
    try:
        start = time.monotonic()
        event_id = entry(1)
        assert time.monotonic() - start < 1
        assert state(event_id) is EventState.RECEIVED
    finally:
        queue.configure(None)


def test_a_delay_is_not_the_broker_s_business(broker: BellBroker) -> None:
    with pytest.raises(ValueError, match="row in the database"):
        broker.enqueue(queue.message(queue.PROCESS_EVENT, "1"), delay=1000)


def test_the_sweep_rings_for_what_waits_and_not_every_second(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure()
    rung: list[queue.Wake] = []
    monkeypatch.setattr(queue, "ring", rung.extend)
    event_id = entry(1)
    sweeper = Sweeper()
    rung.clear()
    assert sweeper.events() == 0  # it may still be on its way
    with clock.frozen(clock.now() + timedelta(seconds=2)):
        assert (sweeper.events(), sweeper.events()) == (1, 0)
        assert rung == [queue.Wake(queue.PROCESS_BACKLOG, event_id)]
        with database.unit_of_work() as session:
            claims.take(session.connection(), event_id)
        assert Sweeper().events() == 0  # somebody is at it
    with clock.frozen(clock.now() + timedelta(seconds=2) + claims.LEASE + timedelta(seconds=2)):
        assert Sweeper().events() == 1  # and has died


def test_a_backlog_that_is_worked_off_is_not_rung_for_over_and_over(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure()
    events = [entry(n) for n in range(20)]
    rung: list[queue.Wake] = []
    monkeypatch.setattr(queue, "ring", rung.extend)
    passed = 0.0
    monkeypatch.setattr(clock, "monotonic", lambda: passed)
    sweeper, later = Sweeper(), clock.now() + timedelta(seconds=2)
    with clock.frozen(later):
        for event_id in events[:10]:  # one each four seconds
            sweeper.events()
            with database.unit_of_work() as session:
                claims.take(session.connection(), event_id)
            passed += 4
        assert [wake.row_id for wake in rung] == events
        passed += 4
        assert sweeper.events() == 0
        passed += 6  # and now nobody works: they may be lost
        assert sweeper.events() == 10


def test_one_scheduler_leads_and_the_next_follows_it(database: db.Database) -> None:
    configure()
    one, two = schedule.Leader(), schedule.Leader()
    one.renew()
    two.renew()
    assert (one.leads, two.leads) == (True, False)
    done: list[int] = []
    one.only(lambda: done.append(1))()
    two.only(lambda: done.append(2))()
    assert done == [1]
    with clock.frozen(clock.now() + lease.TERM + timedelta(seconds=1)):
        two.renew()
        one.renew()  # it was frozen meanwhile
    assert (one.leads, two.leads) == (False, True)


def test_the_scheduler_runs_its_table_and_stops(database: db.Database, broker: BellBroker) -> None:
    configure()
    event_id = entry(1)
    with database.unit_of_work() as session:
        session.get_one(InboundEvent, event_id).retry_at = clock.now() - timedelta(seconds=10)
    queue.configure(broker)
    broker.declare_queue(queue.BACKLOG)
    stop = threading.Event()
    thread = threading.Thread(target=schedule.run, args=(stop,))
    thread.start()
    try:
        wait_for(lambda: broker.do_qsize(queue.BACKLOG) > 0, 5, "the sweep does not ring")
    finally:
        stop.set()
        thread.join(10)
        queue.configure(None)
    assert not thread.is_alive()


def test_the_embedded_broker_keeps_to_itself_and_outlives_a_kill(monkeypatch: pytest.MonkeyPatch) -> None:
    first = EmbeddedBroker(settings())
    url = first.start()
    assert url.startswith("unix://")
    assert first.process is not None
    with redis.Redis.from_url(url) as client:
        client.set("kept", "1")
        assert client.config_get("port")["port"] == "0"
    # its supervisor dies; a second start on the same folder ends the orphan and goes on with its data
    second = EmbeddedBroker(settings())
    again = second.start()
    first.process.wait(5)
    with redis.Redis.from_url(again) as client:
        assert client.get("kept") == b"1"
    second.stop()
    assert not answers(again)


@pytest.mark.parametrize(("rings", "messages", "most"), [(1, 1, 1), (7, 7, 1), (40, 5, 8), (500, 63, 8)])
def test_rings_of_a_burst_share_messages_and_few_do_not(rings: int, messages: int, most: int) -> None:
    wakes = [queue.Wake(queue.PROCESS_EVENT, str(n)) for n in range(rings)]
    slow = [queue.Wake(queue.FETCH_RECORDING, str(n)) for n in range(40)]
    made = list(queue.together([*wakes, *slow]))
    assert {len(m.args) for m in made if m.actor_name == queue.FETCH_RECORDING} == {1}
    events = [m.args for m in made if m.actor_name == queue.PROCESS_EVENT]
    assert (len(events), max(map(len, events))) == (messages, most)
    assert [row_id for ids in events for row_id in ids] == [str(n) for n in range(rings)]
