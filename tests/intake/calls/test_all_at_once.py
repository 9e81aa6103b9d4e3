"""Every provider calls at once, each of its webhooks again and again: one call each, one lead a caller."""

from __future__ import annotations

import itertools
import json
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import yaml
from sqlalchemy import select

from core import clock, db
from core.settings import settings
from crm import calls
from intake import sources
from intake.calls import BY_NAME
from models.activity import Activity
from models.call import Call, CallResult
from models.inbound import EventState, InboundEvent
from models.lead import Lead
from models.source import Channel
from tests.factories import configure, source
from tests.intake.calls.conftest import ADDRESS, PEOPLE, every
from tests.intake.calls.test_providers import Case
from tests.servers import telephony
from tests.web import application
from worker import executor

Request = tuple[str, str, dict[str, str], bytes]
FIXTURES = Path(__file__).parents[2] / "fixtures" / "calls"
AT = datetime.fromisoformat("2026-11-23T18:30:00+00:00")
#: So often each webhook comes, and the last one of the first provider.
COPIES, MOST = 3, 50


def missed(provider: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FIXTURES / provider / "call_missed.json").read_text())
    return found


def said(provider: str, event: dict[str, Any]) -> dict[str, Any]:
    """What the provider says in one of its fixture's events, to be signed for our address."""
    url = urlsplit(event["url"])
    if event["method"] == "GET":
        return {name: value for name, value in parse_qsl(url.query) if name != "key"}
    if "json" in event["headers"].get("Content-Type", ""):
        return dict(json.loads(event["body"]))
    told = dict(parse_qsl(event["body"], keep_blank_values=True))
    if provider == "bitrix24":
        told["method"] = url.path.rpartition("/")[2].removesuffix(".json")
    return told


@pytest.fixture
def app(database: db.Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("PORTARIA_PUBLIC_URL", ADDRESS)
    settings.cache_clear()
    numbers = {"numbers": ["+13125550188"], "country": "US"}
    lines = [numbers | {"key": name, "provider": name} | missed(name)["line"] for name in BY_NAME]
    configure(PEOPLE, lines=yaml.safe_dump(lines))
    sources.forget()
    with application() as made:
        yield made


def webhooks() -> list[list[Request]]:
    """Each provider's, of a call that was missed, in the order in which they came."""
    made = []
    for provider in BY_NAME:
        fixture, url = missed(provider), f"{ADDRESS}/in/calls/{provider}/{provider}"
        made.append(
            [
                telephony.request(provider, url, said(provider, event), AT, fixture["line"])
                for event in fixture["events"]
            ]
        )
    return made


def deliver(app: Any, made: Request) -> int:
    """Posts it, and processes some of what waits; the status of our answer."""
    method, url, headers, body = made
    path = telephony.path_of(url)
    status = int(app.test_client().open(path, method=method, headers=headers, data=body).status_code)
    with db.reading() as session:
        waiting = (
            select(InboundEvent.id).where(InboundEvent.state == EventState.RECEIVED).order_by(InboundEvent.id)
        )
        ids = list(session.scalars(waiting.limit(5)))
    for event_id in ids:
        executor.process_event(event_id)
    return status


def test_webhooks_of_every_provider_many_times_at_once_are_one_call_each(app: Any) -> None:
    each = webhooks()
    requests = [made for of_one in each for made in of_one] * COPIES
    requests += [each[0][-1]] * (MOST - COPIES)
    random.Random(7).shuffle(requests)
    with clock.frozen(AT):
        with ThreadPoolExecutor(12) as pool:
            assert set(pool.map(partial(deliver, app), requests)) <= {200, 202, 204}
        for event in every(InboundEvent):
            executor.process_event(event.id)
    all_is_there()


def test_webhooks_of_every_provider_in_the_reverse_order_have_the_same_effects(app: Any) -> None:
    with clock.frozen(AT):
        for of_one in webhooks():
            for made in reversed(of_one):
                assert deliver(app, made) in (200, 202, 204)
    all_is_there()


@pytest.mark.parametrize("provider", BY_NAME)
def test_in_whatever_order_a_missed_call_is_told_rules_hear_last_that_it_was_missed(
    provider: str, database: db.Database
) -> None:
    configure(PEOPLE, lines="  - {key: main, provider: aircall, token: cebcaac65f0e4b1d9a7f}")
    updates = Case(FIXTURES / provider / "call_missed.json").updates()
    with database.unit_of_work() as session:
        line = source(session, "main", Channel.CALL)
        for n, order in enumerate(itertools.permutations(updates)):
            heard = []
            for update in order:
                own = replace(update, call_id=f"c{n}")
                merged = calls.merge(session, own, source=line, provider=provider, country="US")
                if merged.ended or merged.changed_result:
                    heard.append(merged.missed)
            assert heard
            assert heard[-1], [update.event for update in order]


@pytest.mark.parametrize("cut", [0, 0.5, 1])
def test_half_a_body_is_refused_or_kept_to_be_seen_and_never_an_error_of_ours(app: Any, cut: float) -> None:
    with clock.frozen(AT):
        for of_one in webhooks():
            method, url, headers, body = of_one[-1]
            given = body[: int(len(body) * cut)] if cut < 1 else body + b"]"
            path = telephony.path_of(url)
            answer = app.test_client().open(path, method=method, headers=headers, data=given)
            assert answer.status_code < 500, path
    for event in every(InboundEvent):
        executor.process_event(event.id)
    assert {e.state for e in every(InboundEvent)} <= {EventState.PROCESSED, EventState.FAILED}


def all_is_there() -> None:
    """One call each, one lead a caller, and one activity, the more urgent the more often they were missed."""
    assert {e.state for e in every(InboundEvent)} <= {EventState.PROCESSED, EventState.IGNORED}
    made = every(Call)
    assert len({call.source_id for call in made}) == len(made) == len(BY_NAME)
    assert {call.result for call in made} <= {CallResult.MISSED, CallResult.BUSY}
    callers = Counter(call.from_number for call in made)
    assert sorted(lead.phone for lead in every(Lead)) == sorted(callers)
    assert {call.lead_id for call in made} == {lead.id for lead in every(Lead)}
    urgency = {a.lead_id: a.urgency for a in every(Activity)}
    assert len(every(Activity)) == len(callers)
    assert urgency == {lead.id: callers[lead.phone] - 1 for lead in every(Lead)}
