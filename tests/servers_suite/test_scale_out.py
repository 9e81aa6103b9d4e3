"""The same way through the house on PostgreSQL with Redis and with RabbitMQ, and two workers."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pika
import pytest
import redis

from boot import schema
from core.db import Database
from tests.boot.test_schema import kept_over_the_upgrade, migrated
from tests.e2e.test_three_channels import the_whole_way
from tests.servers.mail import DovecotServer
from tests.servers.port import wait_for
from tests.servers.postgres import own_postgres, server
from tests.servers.service import PORTARIA, Service

pytestmark = pytest.mark.servers
REDIS = os.environ.get("PORTARIA_TEST_REDIS", "redis://127.0.0.1:6379/7")
RABBITMQ = os.environ.get("PORTARIA_TEST_RABBITMQ", "amqp://guest:guest@127.0.0.1:5672/")
TEAM = """
workspace: {name: Acme, country: BR}
users: [{email: ana@acme.test}, {email: bruno@acme.test}]
teams: [{key: inbound, members: [ana@acme.test, bruno@acme.test]}]
forms: [{key: contact}]
rules: [{name: all, on: lead.created, do: [assign: {team: inbound}]}]
"""


@pytest.fixture
def database_url() -> Iterator[str]:
    with own_postgres(server(), f"portaria_scale_out_{os.getpid()}") as url:
        yield url.replace("postgresql+psycopg://", "postgresql://")


@pytest.fixture(params=["redis", "rabbitmq"])
def broker_url(request: pytest.FixtureRequest) -> str:
    try:
        if request.param == "redis":
            with redis.Redis.from_url(REDIS) as client:
                client.flushdb()
            return REDIS
        with pika.BlockingConnection(pika.URLParameters(RABBITMQ)) as connection:
            channel = connection.channel()
            for queue in ("events", "steps"):
                for name in (queue, f"{queue}.DQ", f"{queue}.XQ"):
                    channel.queue_delete(name)
    except (redis.ConnectionError, pika.exceptions.AMQPError):
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no {request.param}")
    return RABBITMQ


def environment(database_url: str, broker_url: str) -> dict[str, str]:
    return {
        "DATABASE_URL": database_url,
        "BROKER_URL": broker_url,
        "PORTARIA_SECRET_KEY": "a key for these tests",
    }


def second_worker(service: Service) -> subprocess.Popen[bytes]:
    with Path(service.folder / "second").open("wb") as log:
        return subprocess.Popen(
            [PORTARIA, "worker"], env=service.environment, cwd=service.folder, stdout=log, stderr=log
        )


def test_an_empty_postgresql_database_becomes_what_the_models_say(database_url: str) -> None:
    database = Database(database_url.replace("postgresql://", "postgresql+psycopg://"))
    migrated(database)
    assert schema.differences(database) == []
    database.close()


def test_postgresql_keeps_what_an_older_release_has_kept(database_url: str) -> None:
    database = Database(database_url.replace("postgresql://", "postgresql+psycopg://"))
    kept_over_the_upgrade(database)
    assert schema.differences(database) == []
    database.close()


def test_three_channels_become_three_routed_leads(database_url: str, broker_url: str) -> None:
    with DovecotServer() as mailbox:
        the_whole_way(mailbox, environment(database_url, broker_url))


def test_two_workers_share_the_work_and_double_nothing(database_url: str, broker_url: str) -> None:
    with Service(TEAM, **environment(database_url, broker_url)) as service:
        other = second_worker(service)
        try:
            accepted: list[str] = []

            def post(worker: int) -> None:
                for n in range(50):
                    email = f"p{worker}-{n % 25}@client.test"  # each person twice
                    if service.form("contact", {"email": email, "message": str(n)}).status == 202:
                        accepted.append(email)

            threads = [threading.Thread(target=post, args=(w,)) for w in range(4)]
            for thread in threads:
                thread.start()
            time.sleep(1)
            os.kill(service.children()["worker"], signal.SIGKILL)  # one of the two dies on the way
            for thread in threads:
                thread.join()
            wait_for(
                lambda: not service.api("/events?state=received")["items"],
                30,
                "not all processed",
                every=0.25,
            )
            leads = service.all("/leads")
            assert Counter(lead["email"] for lead in leads) == dict.fromkeys(set(accepted), 1)
            assert len(accepted) == 200
            assert Counter(lead["owner"]["email"] for lead in leads) == {
                "ana@acme.test": 50,
                "bruno@acme.test": 50,
            }
        finally:
            other.terminate()
            assert other.wait(15) == 0


def test_postgresql_is_restarted_under_the_service(database_url: str) -> None:
    """Its connections are cut: nothing accepted is lost, and the service heals by itself."""
    with Service(TEAM, DATABASE_URL=database_url, PORTARIA_SECRET_KEY="a key for these tests") as service:
        assert service.form("contact", {"email": "a@client.test"}).status == 202
        admin = Database(database_url.replace("postgresql://", "postgresql+psycopg://"))
        with admin.engine.begin() as connection:
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        admin.close()
        answers = [service.form("contact", {"email": f"b{n}@client.test"}).status for n in range(10)]
        assert set(answers) <= {202, 503}
        assert answers[-1] == 202
        expected = 1 + answers.count(202)
        wait_for(
            lambda: len(service.all("/leads")) == expected,
            20,
            f"not {expected} leads: {service.log()[-2000:]}",
        )
