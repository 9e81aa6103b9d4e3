"""The whole service with lines, a provider on the far side, and a worker that is told when to work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import inspect, select
from werkzeug.test import TestResponse

from api.auth import create_token
from boot import schema
from boot.cli import main
from core import clock, db
from core.settings import settings
from intake import sources
from models.inbound import EventState, InboundEvent
from models.user import Role
from tests.factories import WORKSPACE, configure
from tests.servers import provider
from tests.servers.provider import FakeProvider
from tests.web import application
from worker import dialling, executor, transfers

ADDRESS = "https://in.acme.test"
PEOPLE = WORKSPACE.replace("name: Ana}", "name: Ana, phone: '+5511999990001', extension: '101'}")


class House:
    """Our side: the API, and a worker that does what waits."""

    def __init__(self, app: Any, theirs: FakeProvider, tokens: dict[str, str]) -> None:
        self.provider = theirs
        self._client, self._tokens = app.test_client(), tokens

    def configure(self, lines: str, **parts: str) -> None:
        configure(PEOPLE, lines=lines, **parts)
        sources.forget()

    def ask(
        self, method: str, path: str, *, role: str = "admin", headers: Any = None, **more: Any
    ) -> TestResponse:
        told = {"Authorization": f"Bearer {self._tokens[role]}", **(headers or {})}
        return self._client.open("/api/v1" + path, method=method, headers=told, **more)

    def tell(self, kind: str, said: dict[str, Any], *, query: str = "", **more: Any) -> int:
        """An event of the provider's, over HTTP, and what comes of it."""
        status = self.provider.tell(kind, f"{ADDRESS}/in/calls/{kind}/main{query}", said, **more)
        self.work()
        return status

    def work(self) -> None:
        """All that waits now: events first, then what the provider is to be told."""
        for _ in range(5):
            with db.reading() as session:
                waiting = (
                    select(InboundEvent.id)
                    .where(InboundEvent.state == EventState.RECEIVED)
                    .order_by(InboundEvent.id)
                )
                events = list(session.scalars(waiting.where(InboundEvent.retry_at <= clock.now())))
            commands, waiting_callers = dialling.due(), transfers.due()
            if not events and not commands and not waiting_callers:
                return
            for event_id in events:
                executor.process_event(event_id)
            for command_id in commands:
                dialling.place(command_id)
            for transfer_id in waiting_callers:
                transfers.carry_out(transfer_id)


@pytest.fixture
def house(database: db.Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setenv("PORTARIA_PUBLIC_URL", ADDRESS)
    settings.cache_clear()
    configure(PEOPLE)
    with database.unit_of_work() as session:
        tokens = {role.value: create_token(session, role.value, role) for role in Role}
    with application() as app, provider.running(app, monkeypatch) as theirs:
        yield House(app, theirs, tokens)


def every(table: type) -> list[Any]:
    """All rows of a table, as they stand."""
    with db.reading() as session:
        return list(session.scalars(select(table).order_by(*inspect(table).primary_key)))


@pytest.fixture
def portaria(house: House, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The command line on the same database."""
    url = db.database().engine.url.render_as_string(hide_password=False)
    monkeypatch.setenv("PORTARIA_SECRET_KEY", settings().key().decode())
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setattr(schema, "current", lambda _: schema.head())  # made without migrations
    settings.cache_clear()
    ours = db.database()

    def run(*words: str) -> Result:
        result = CliRunner().invoke(main, words)
        if (its_own := db.database()) is not ours:
            its_own.close()
            monkeypatch.setattr(db, "_current", ours)
        return result

    return run
