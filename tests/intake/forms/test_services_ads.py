"""What ad platforms, site hosts and senders of any JSON post, and what they are asked for. A fixture is a test."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from standardwebhooks import Webhook

from core.errors import Ignored, Refused
from intake.delivery import Delivery
from intake.errand import LOOKED_UP
from intake.forms.service import FormService
from intake.forms.service_form import ServiceForm
from intake.forms.settings import FormSettings
from tests.factories import configure
from tests.intake.forms.reading import FIXTURES, NOW, label, sent, summary

NAMES = ("webflow", "netlify", "google-ads", "meta-lead-ads", "linkedin", "tiktok", "generic")
FILES = sorted(file for name in NAMES for file in (FIXTURES / name).glob("*.json"))
#: Where each says who it is; Google Ads in the body.
SIGNED = {
    "webflow": "x-webflow-signature",
    "netlify": "x-webhook-signature",
    "meta-lead-ads": "x-hub-signature-256",
    "linkedin": "x-li-signature",
    "tiktok": "x-portaria-secret",
    "generic": "webhook-signature",
}


def opened(file: Path) -> tuple[FormService[Any], Delivery, FormSettings, Any]:
    """As `sent`; what Standard Webhooks sign with the time is signed at NOW, by their own library."""
    service, came, settings, own = sent(file)
    if message := came.headers.get("webhook-id"):
        came = replace(came, headers={**came.headers, **signed_now(own, message, came.body.decode())})
    return service, came, settings, own


def signed_now(own: Any, message: str, body: str, *, ago: float = 0) -> dict[str, str]:
    at = NOW - timedelta(seconds=ago)
    signature = Webhook(own.secret.get_secret_value()).sign(message, at, body)
    return {"webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signature}


@pytest.mark.parametrize("name", NAMES)
def test_every_format_has_its_payloads(name: str) -> None:
    assert sum(f.parent.name == name for f in FILES) >= 3


@pytest.mark.parametrize("file", FILES, ids=label)
def test_what_the_service_sends_is_the_enquiry_it_is(file: Path) -> None:
    told = json.loads(file.read_text())
    expected = told["expect"]
    service, came, settings, own = opened(file)
    service.verify(came, own)
    (part,) = service.parts(came, own)
    if key := expected.pop("key", None):
        assert part.key == key
    else:
        assert part.by_content
    came = replace(came, facts=part.facts)
    lookup = None if expected.get("ignored") and "lookup" not in told else service.lookup(came, own)
    assert (lookup.url if lookup else None) == told.get("lookup")
    if "looked_up" in told:
        came = replace(came, facts={**part.facts, LOOKED_UP: told["looked_up"]})
    if words := expected.pop("ignored", None):
        with pytest.raises(Ignored, match=words):
            ServiceForm(service).parse(came, settings)
        return
    found = summary(ServiceForm(service).parse(came, settings), told["country"])
    for mapping in ("extra", "attribution"):
        part_of = expected.pop(mapping, {})
        assert {name: found[mapping].get(name) for name in part_of} == part_of
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize("file", FILES, ids=label)
def test_a_delivery_that_comes_again_has_the_same_key(file: Path) -> None:
    service, came, _, own = sent(file)
    later = replace(came, received_at=NOW + timedelta(hours=6))
    assert service.parts(came, own) == service.parts(later, own)


SECRET = [
    f for f in FILES if f.parent.name in SIGNED and json.loads(f.read_text())["settings"].get("services")
]


def test_every_signature_is_tried() -> None:
    assert {f.parent.name for f in SECRET} == set(SIGNED)


@pytest.mark.parametrize("file", SECRET, ids=label)
def test_only_the_service_is_believed(file: Path) -> None:
    service, came, _, own = opened(file)
    header = next(h for h in (SIGNED[service.name], "x-site-signature") if h in came.headers)
    signature = came.headers[header]
    headers = [
        {name: value for name, value in came.headers.items() if name != header},
        *({**came.headers, header: bad} for bad in ("", signature[:-6] + "AAAAAA", "é\udcff", signature * 2)),
    ]
    wrong = [replace(came, headers=h) for h in headers]
    if service.name != "tiktok":  # whose sender shows a secret and signs nothing
        wrong += [
            replace(came, body=came.body + b" "),
            replace(came, body=came.body.replace(b'":', b'": ', 1)),
        ]
    for bad in wrong:
        with pytest.raises(Refused) as refused:
            service.verify(bad, own)
        assert (refused.value.status, refused.value.reason) == (403, "bad_signature")


@pytest.mark.parametrize("key", ["", "gk-green-hil", "gk-green-hill ", 7, None, ["gk-green-hill"], "é\ud800"])
def test_google_ads_must_know_the_key(key: object) -> None:
    service, came, _, own = sent(FIXTURES / "google-ads" / "full_name_and_own_question_en.json")
    body = json.dumps({**json.loads(came.body), "google_key": key}).encode()
    with pytest.raises(Refused) as refused:
        service.verify(replace(came, body=body), own)
    assert refused.value.status == 403


@pytest.mark.parametrize("minutes", [-6, 6, 60 * 24 * 365])
def test_a_signature_is_good_for_minutes(minutes: int) -> None:
    service, came, _, own = sent(FIXTURES / "webflow" / "signed_with_a_number_as_phone_en.json")
    with pytest.raises(Refused) as refused:
        service.verify(replace(came, received_at=NOW + timedelta(minutes=minutes)), own)
    assert refused.value.reason == "stale"
    service, came, _, own = sent(FIXTURES / "generic" / "standard_webhooks_with_paths_en.json")
    late = signed_now(own, "msg_1", came.body.decode(), ago=minutes * 60)
    with pytest.raises(Refused) as refused:
        service.verify(replace(came, headers={**came.headers, **late}), own)
    assert refused.value.status == 403


@pytest.mark.parametrize("given", ["", "x", "1e9", "-1", "1" * 40])
def test_a_time_that_is_none_is_refused_though_it_is_signed(given: str) -> None:
    service, came, _, own = sent(FIXTURES / "webflow" / "signed_with_a_number_as_phone_en.json")
    told = hmac.new(own.secret.get_secret_value().encode(), f"{given}:".encode() + came.body, hashlib.sha256)
    headers = {"x-webflow-timestamp": given, "x-webflow-signature": told.hexdigest()}
    with pytest.raises(Refused):
        service.verify(replace(came, headers=headers), own)


@pytest.mark.parametrize(
    ("head", "claims"),
    [
        ({"alg": "none"}, {}),
        ({"alg": "HS512"}, {}),
        ({}, {"iss": "somebody"}),
        ({}, {"iss": None}),
        ({}, {"sha256": ""}),
        ({}, {"sha256": "0" * 64}),
    ],
)
def test_netlify_signs_in_one_way_only(head: dict[str, str], claims: dict[str, Any]) -> None:
    service, came, _, own = sent(FIXTURES / "netlify" / "signed_with_referrer_es.json")
    right = {"iss": "netlify", "sha256": hashlib.sha256(came.body).hexdigest()}
    parts = [{"alg": "HS256", "typ": "JWT"} | head, right | claims]
    told = ".".join(_base64(json.dumps(p).encode()) for p in parts)
    key = own.secret.get_secret_value().encode()
    for signature in (_base64(hmac.new(key, told.encode(), hashlib.sha256).digest()), ""):
        with pytest.raises(Refused):
            service.verify(replace(came, headers={"x-webhook-signature": f"{told}.{signature}"}), own)


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@pytest.mark.parametrize(
    ("name", "query", "answer"),
    [
        (
            "meta-lead-ads",
            {"hub.mode": "subscribe", "hub.verify_token": "vt-9", "hub.challenge": "158"},
            (200, "158"),
        ),
        (
            "meta-lead-ads",
            {"hub.mode": "subscribe", "hub.verify_token": "no", "hub.challenge": "1"},
            (403, ""),
        ),
        ("meta-lead-ads", {"hub.mode": "subscribe", "hub.challenge": "158"}, (403, "")),
        ("meta-lead-ads", {"hub.challenge": "158"}, (405, "")),
        (
            "linkedin",
            {"challengeCode": "890e4665-4dfe-4ab1-b689-ed553bceeed0"},
            (
                200,
                hmac.new(b"li-old-mill", b"890e4665-4dfe-4ab1-b689-ed553bceeed0", hashlib.sha256).hexdigest(),
            ),
        ),
        ("linkedin", {"challengeCode": '"}<script>'}, (405, "")),
        ("linkedin", {}, (405, "")),
    ],
)
def test_an_address_is_tried_before_it_is_used(
    client: FlaskClient, name: str, query: dict[str, str], answer: tuple[int, str]
) -> None:
    services = {
        **json.loads((FIXTURES / "meta-lead-ads" / "lead_with_own_question_pt.json").read_text())["settings"][
            "services"
        ],
        **json.loads((FIXTURES / "linkedin" / "lead_at_work_en.json").read_text())["settings"]["services"],
    }
    configure(f"forms: [{{key: ads, services: {json.dumps(services)}}}]")
    given = client.get(f"/in/forms/ads/{name}", query_string=query)
    assert given.status_code == answer[0]
    assert answer[1] in given.text
    if answer[0] == 200 and name == "linkedin":
        assert given.json == {"challengeCode": query["challengeCode"], "challengeResponse": answer[1]}


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("webflow", b"[]", 400),
        ("netlify", b"{", 400),
        ("generic", b"", 400),
        ("generic", b"\xff", 400),
        ("google-ads", b"{}", 404),
        ("meta-lead-ads", b"{}", 404),
        ("linkedin", b"{}", 404),
        ("tiktok", b"{}", 404),
    ],
)
def test_the_door_is_shut_to_what_is_malformed_or_not_set_up(
    client: FlaskClient, name: str, body: bytes, status: int
) -> None:
    answer = client.post(f"/in/forms/open/{name}", data=body, content_type="application/json")
    assert answer.status_code == status
