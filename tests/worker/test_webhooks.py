"""Outgoing webhooks and the feed: told in the transaction, signed, sent again, given up, sent again by hand."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from sqlalchemy import select
from standardwebhooks import Webhook

from core import clock, db, storage
from core.settings import settings
from models.domain_event import DomainEvent
from models.user import Role, User
from models.webhook import DeliveryState, WebhookDelivery, WebhookEndpoint
from rules import feed, redelivery
from rules.webhooks import covers
from tests.factories import NOON, configure, enquire
from worker import webhooks

OLD, NEW = "whsec_b2xkIG9sZCBvbGQgb2xkIG9sZA==", "whsec_bmV3IG5ldyBuZXcgbmV3IG5ldw=="
RULES = "  - {name: all, on: lead.created, do: [assign: {team: inbound}]}"


class _Receiver(BaseHTTPRequestHandler):
    status = 200
    got: list[tuple[dict[str, str], bytes]] = []  # noqa: RUF012  a test's own list

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
        self.send_response(self.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver(database: db.Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An endpoint's address; the workspace tells it of leads."""
    monkeypatch.setenv("PORTARIA_PRIVATE_DESTINATIONS", "true")
    settings.cache_clear()
    storage._store.cache_clear()
    _Receiver.got.clear()
    _Receiver.status = 200
    server = HTTPServer(("127.0.0.1", 0), _Receiver)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/hook"
    declare(url)
    yield url
    server.shutdown()
    thread.join()
    server.server_close()


def declare(url: str, more: str = "") -> None:
    configure(
        rules=RULES, webhooks=f'  - {{key: sync, url: "{url}", events: ["lead.*"], secret: "{NEW}"{more}}}'
    )


def ask() -> int:
    with db.unit_of_work() as session:
        return enquire(session).lead.id


def deliveries() -> list[WebhookDelivery]:
    with db.reading() as session:
        return list(session.scalars(select(WebhookDelivery).order_by(WebhookDelivery.id)))


def test_an_endpoint_is_told_what_happened_signed_with_both_secrets(receiver: str) -> None:
    declare(receiver, f', previous_secret: "{OLD}"')
    lead_id = ask()
    webhooks.Postman(1).deliver()
    told = [json.loads(body) for _, body in _Receiver.got]
    assert [t["type"] for t in told] == ["lead.created", "lead.assigned"]
    assert told[0]["data"]["lead"]["id"] == lead_id
    assert told[0]["data"]["lead"]["owner"]  # as it is when the transaction ends
    for headers, body in _Receiver.got:
        for secret in (NEW, OLD):
            assert Webhook(secret).verify(body, headers)["id"] == headers["webhook-id"]
    assert {d.state for d in deliveries()} == {DeliveryState.DONE}
    with db.unit_of_work() as session:
        rows, _ = feed.read(session, after=0, kind="lead.created", limit=10)
    assert f"evt_{rows[0].event_id}" == _Receiver.got[0][0]["webhook-id"]


def test_what_fails_comes_again_over_three_days_and_is_then_given_up(receiver: str) -> None:
    ask()
    _Receiver.status = 302
    at, gone = clock.now(), []
    for _ in range(len(webhooks.PAUSES) + 3):
        with clock.frozen(at):
            webhooks.Postman(1).deliver()
        waiting = [d for d in deliveries() if d.state is DeliveryState.WAITING]
        if not waiting:
            break
        gone.append(max(d.due_at for d in waiting) - at)
        at = max(d.due_at for d in waiting)
    total = sum(gone, timedelta())
    assert timedelta(hours=71) < total < timedelta(hours=80)
    first = [h["webhook-id"] for h, _ in _Receiver.got]
    assert len(first) == 2 * 10
    assert len(set(first)) == 2
    assert {(d.state, d.attempts, d.result) for d in deliveries()} == {
        (DeliveryState.DEAD, 10, "answered 302")
    }
    with db.reading() as session:
        assert session.get_one(WebhookEndpoint, "sync").failing_since is not None
    _Receiver.status = 204
    with db.unit_of_work() as session:
        assert redelivery.replay_dead(session, "sync") == 2
    webhooks.Postman(1).deliver()
    assert {d.state for d in deliveries()} == {DeliveryState.DONE}
    assert {h["webhook-id"] for h, _ in _Receiver.got} == set(first)
    with db.reading() as session:
        assert session.get_one(WebhookEndpoint, "sync").failing_since is None


@pytest.mark.parametrize(("status", "days"), [(410, 0), (500, 6)])
def test_an_endpoint_that_is_gone_is_told_no_more_and_the_admins_are_told(
    receiver: str, status: int, days: int
) -> None:
    with db.unit_of_work() as session:
        session.scalars(select(User)).first().role = Role.ADMIN  # type: ignore[union-attr]
    ask()
    _Receiver.status = status
    webhooks.Postman(1).deliver()
    with clock.frozen(clock.now() + timedelta(days=days)):
        webhooks.Postman(1).deliver()
        with db.reading() as session:
            assert list(redelivery.disabled(session)) == ["sync"]
        (mail,) = (settings().data_dir / "outbox").glob("*.eml")
        assert "Webhook sync is disabled" in mail.read_text()
        before = len(deliveries())
        with db.unit_of_work() as session:
            enquire(session, emails=("other@client.test",))
        assert len(deliveries()) == before
        with db.unit_of_work() as session:
            redelivery.enable(session, "sync")
        with db.unit_of_work() as session:
            enquire(session, emails=("third@client.test",))
        assert len(deliveries()) > before


def test_without_endpoints_nothing_but_the_feed_is_written(database: db.Database) -> None:
    configure(rules=RULES)
    ask()
    assert deliveries() == []
    with db.reading() as session:
        assert next(e.kind for e in session.scalars(select(DomainEvent))) == "lead.created"


def test_a_transaction_that_fails_tells_nothing(receiver: str) -> None:
    with pytest.raises(RuntimeError), db.unit_of_work() as session:
        enquire(session)
        raise RuntimeError
    assert deliveries() == []


def test_the_feed_gives_each_event_once_whatever_the_order_of_commits(database: db.Database) -> None:
    configure()
    with db.unit_of_work() as session:
        session.add_all(
            DomainEvent(id=i, event_id=f"00000000-0000-0000-0000-{i:012}", at=NOON, kind="x", data={})
            for i in (1, 3)
        )
    with db.unit_of_work() as session:
        rows, cursor = feed.read(session, after=0, kind=None, limit=10)
    assert ([r.id for r in rows], cursor) == ([1, 3], 2)
    with db.unit_of_work() as session:  # begun before, committed after
        session.add(
            DomainEvent(id=2, event_id=f"00000000-0000-0000-0000-{2:012}", at=NOON, kind="y", data={})
        )
    with db.unit_of_work() as session:
        rows, cursor = feed.read(session, after=cursor, kind=None, limit=10)
        assert ([r.id for r in rows], cursor) == ([2], 3)
        rows, cursor = feed.read(session, after=0, kind="x", limit=1)
        assert ([r.id for r in rows], cursor) == ([1], 1)
        assert feed.read(session, after=3, kind="x", limit=5) == ([], 3)


def test_what_was_told_long_ago_is_forgotten(receiver: str) -> None:
    ask()
    webhooks.Postman(1).deliver()
    assert webhooks.forget() == 0
    with clock.frozen(clock.now() + webhooks.KEPT + timedelta(days=1)):
        assert webhooks.forget() > 0
    assert deliveries() == []


@pytest.mark.parametrize(
    ("pattern", "kind", "found"),
    [("*", "lead.created", True), ("lead.*", "lead.created", True), ("lead.*", "leads.x", False), ("call.missed", "call.missed", True), ("lead", "lead.created", False)],
)  # fmt: skip
def test_patterns_name_events(pattern: str, kind: str, found: bool) -> None:
    assert covers(pattern, kind) is found
