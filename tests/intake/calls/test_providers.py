"""Every provider's calls: let in by its own scheme alone, and the same call in whatever order its events come."""

from __future__ import annotations

import itertools
import json
import random
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks.webhooks
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from core import clock
from core.errors import Refused
from crm.call_view import CallView, derive, recordings_of, remember
from crm.submission import CallUpdate
from intake import signatures
from intake.calls import BY_NAME, CallAdapter, LineSettings, reading
from intake.delivery import Delivery
from intake.errand import STORED
from tests.servers import telephony

CALLS = sorted((Path(__file__).parents[2] / "fixtures" / "calls").glob("*/*.json"))
# What is refused, and what tries an address, is no call.
CALLS = [file for file in CALLS if "becomes" in json.loads(file.read_text())]
SITUATIONS = {"answered", "missed", "outgoing", "withheld"}
# What else a provider can tell; most tell of both, these of neither.
_TOLD: dict[str, set[str]] = {"3cx": set(), "bitrix24": set()}
# What tells in its address, or its content, who sent it: there is no signature over the rest.
UNSIGNED = {"aircall", "ringcentral", "exotel", "bitrix24", "zadarma", "3cx"}


class Case:
    """One call of the fixtures, its line, and what it becomes."""

    def __init__(self, file: Path) -> None:
        self.provider = file.parent.name
        self.fixture: dict[str, Any] = json.loads(file.read_text())
        self.adapter: CallAdapter[Any] = BY_NAME[self.provider]
        values = {"key": "main", "provider": self.provider, "numbers": ["+13125550188"]}
        self.line: LineSettings = self.adapter.settings.model_validate(values | self.fixture["line"])
        self.at = datetime.fromisoformat(self.fixture["at"])
        self.deliveries = [self.delivery(event) for event in self.fixture["events"]]

    def delivery(self, event: dict[str, Any]) -> Delivery:
        headers = {name.lower(): value for name, value in event["headers"].items()}
        return Delivery(
            body=event["body"].encode(),
            content_type=headers.get("content-type", ""),
            received_at=self.at,
            method=event["method"],
            url=event["url"],
            headers=headers,
        )

    def updates(self) -> list[CallUpdate]:
        """As they are read when they come out of the journal."""
        told = [self.adapter.parse(self.journalled(sent), self.line) for sent in self.deliveries]
        return [part for update in told for part in (replace(update, also=()), *update.also)]

    def journalled(self, sent: Delivery) -> Delivery:
        kept = self.adapter.kept(sent)
        if (errand := self.adapter.errand(kept, self.line)) is not None:
            kept = replace(kept, body=errand.leaves or kept.body, facts={STORED: list(errand.files)})
        return Delivery.restored(kept.body, kept.content_type, kept.received_at, kept.envelope())


def view(updates: list[CallUpdate]) -> tuple[CallView, list[str]]:
    facts: dict[str, Any] = {}
    for update in updates:
        facts = remember(facts, update)
    facts = json.loads(json.dumps(facts))
    return derive(facts), recordings_of(facts)


def _name_of(file: Path) -> str:
    return f"{file.parent.name}-{file.stem}"


@pytest.fixture(params=CALLS, ids=_name_of)
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    made = Case(request.param)
    with clock.frozen(made.at):
        yield made


def test_every_provider_has_its_situations() -> None:
    for name in BY_NAME:
        stems = {file.stem.removeprefix("call_") for file in CALLS if file.parent.name == name}
        assert stems >= SITUATIONS | _TOLD.get(name, {"voicemail", "transferred"}), name


def test_each_event_is_let_in_and_its_sdk_agrees(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", case.at.timestamp)

    class Then(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return case.at

    monkeypatch.setattr(standardwebhooks.webhooks, "datetime", Then)
    for sent, event in zip(case.deliveries, case.fixture["events"], strict=True):
        case.adapter.verify(sent, case.line)
        line = case.fixture["line"]
        assert telephony.accepted_by_timed_sdk(case.provider, event["headers"], sent.body, line) is not False
        assert (
            telephony.accepted_by_sdk(case.provider, sent.url, event["headers"], sent.body, line) is not False
        )


def test_nothing_but_what_was_signed_is_let_in(case: Case) -> None:
    for sent in case.deliveries:
        for wrong in (
            replace(
                sent,
                headers={},
                url=_other(sent.url).partition("?")[0],
                body=sent.body.replace(b"token", b"tok"),
            ),
            replace(
                sent, headers={n: v[::-1] for n, v in sent.headers.items()}, url=_other(sent.url), body=b"{}"
            ),
            *([] if _carried(case, sent) else [replace(sent, body=sent.body + b"&x=1")]),
            *([replace(sent, url=sent.url + "/other")] if case.provider in _OVER_URL else []),
        ):
            with pytest.raises(Refused):
                case.adapter.verify(wrong, case.line)


@pytest.mark.parametrize("file", [f for f in CALLS if f.parent.name in ("vonage", "telnyx")], ids=_name_of)
def test_a_stale_signature_is_refused(file: Path) -> None:
    case = Case(file)
    for sent in case.deliveries:
        for off in (-301, 301):
            late = replace(sent, received_at=sent.received_at + timedelta(seconds=off))
            with pytest.raises(Refused, match="too old or too far ahead"):
                case.adapter.verify(late, case.line)


def _carried(case: Case, sent: Delivery) -> bool:
    """Whether the sender only carries a secret and signs nothing."""
    return case.provider in UNSIGNED or (case.provider == "asterisk" and "x-signature" not in sent.headers)


_OVER_URL = ("twilio", "plivo", "signalwire")


def _other(url: str) -> str:
    return url.replace("key=k", "key=x").replace("/1/", "/2/x")


def test_sent_again_it_is_the_same_event_and_no_two_are(case: Case) -> None:
    keys = [case.adapter.dedupe_key(sent, case.line) for sent in case.deliveries]
    again = [case.adapter.dedupe_key(sent, case.line) for sent in case.deliveries]
    assert keys == again
    assert len(set(keys)) == len(keys)
    assert all(len(key) <= 200 for key in keys)


def test_each_call_is_what_it_should_be_in_every_order_and_repetition(case: Case) -> None:
    updates = case.updates()
    first = view([*updates, updates[0]])
    found, recordings = first
    for name, expected in case.fixture["becomes"].items():
        told = recordings if name == "recordings" else getattr(found, _NAMES.get(name, name), None)
        if name == "provider_call_id":
            told = found.known_as or updates[0].call_id
        if name in ("from_number", "to_number"):
            told = _number(told, case)
        assert (told.isoformat() if isinstance(told, datetime) else told) == expected, name
    again = len(updates)
    for order in itertools.permutations(range(again + 1)):
        if order.index(0) < order.index(again):  # the first and its copy are the same the other way round
            assert view([updates[place % again] for place in order]) == first


_NAMES = {"provider_call_id": "known_as"}


def _number(raw: str | None, case: Case) -> str | None:
    from crm.calls import e164

    return e164(raw, case.line.country or "US")


@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from(range(len(CALLS))), seed=st.integers(0, 10_000), copies=st.integers(1, 4))
def test_any_part_of_a_call_in_any_order_says_the_same(name: int, seed: int, copies: int) -> None:
    made = Case(CALLS[name])
    chance = random.Random(seed)
    updates = made.updates()
    part = chance.sample(updates, chance.randint(1, len(updates)))
    events = part * copies
    chance.shuffle(events)
    assert view(events) == view(part)
    found, _ = view(events)
    assert found.talk_seconds is None or found.talk_seconds >= 0
    assert (found.talk_seconds is None) == (found.result is None)


@pytest.mark.parametrize("name", [n for n in BY_NAME if n != "twilio"])
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b"{}", b'{"data": []}', b"a=%ff&" * 400, b"[" * 100_000],
)
def test_what_makes_no_sense_is_refused_or_told_in_words(name: str, body: bytes) -> None:
    from core.errors import Ignored, Unreadable

    adapter = BY_NAME[name]
    values = {"key": "main", "provider": name} | telephony.LINES[name]
    line = adapter.settings.model_validate(values)
    for content_type in adapter.content_types:
        sent = Delivery(body=body, content_type=content_type, received_at=clock.now(), url="https://x.test/a")
        with pytest.raises(Refused):
            adapter.verify(sent, line)
        with pytest.raises((Unreadable, Ignored, Refused)):
            adapter.parse(sent, line)


def test_a_number_is_shown_as_it_is_dialled() -> None:
    assert reading.number("\u202e+1202\u2066555\u200f0143\u2069") == "+12025550143"
    assert reading.number("\u202e") is None


@pytest.mark.parametrize("prefix", ["", "sha256="])
@pytest.mark.parametrize("form", ["hex", "base64"])
def test_a_plain_secret_means_a_plain_hmac_in_one_of_the_usual_headers(prefix: str, form: Any) -> None:
    adapter, body = BY_NAME["generic"], b'{"call_id": "c1", "status": "missed"}'
    line = adapter.settings.model_validate({"key": "main", "provider": "generic", "secret": "s3cret"})
    signature = prefix + signatures.hmac_sha256(line.secret, body, form=form)
    for header in ("x-signature", "x-webhook-signature"):
        sent = Delivery(body, "application/json", clock.now(), headers={header: signature})
        adapter.verify(sent, line)
        with pytest.raises(Refused):
            adapter.verify(replace(sent, body=body + b" "), line)
    own = adapter.settings.model_validate(
        {"key": "main", "provider": "generic", "secret": "s3cret", "header": "X-Own"}
    )
    with pytest.raises(Refused):
        adapter.verify(sent, own)


def test_a_mapping_finds_the_facts_where_they_lie() -> None:
    adapter = BY_NAME["generic"]
    line = adapter.settings.model_validate(
        {
            "key": "main",
            "provider": "generic",
            "secret": "s3cret",
            "mapping": {"call_id": "$.Anruf.Nummer", "from": "Anruf.Von", "status": "$.Anruf.Ergebnis"},
            "statuses": {"verpasst": "missed"},
        }
    )
    body = json.dumps({"Anruf": {"Nummer": 7, "Von": "+4930123456", "Ergebnis": "verpasst"}}).encode()
    found = adapter.parse(Delivery(body, "application/json", clock.now()), line)
    assert (found.call_id, found.from_number, found.result, found.final) == (
        "7",
        "+4930123456",
        "missed",
        True,
    )
    with pytest.raises(ValidationError, match="no JSONPath"):
        adapter.settings.model_validate(
            {"key": "main", "provider": "generic", "secret": "x", "mapping": {"from": "$["}}
        )
