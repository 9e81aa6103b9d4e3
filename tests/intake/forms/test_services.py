"""What form builders send becomes the enquiry it is, and only they are believed. A fixture is a test."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from core.errors import Quarantined, Refused
from intake.delivery import Delivery
from intake.forms.body import JSON, MULTIPART, URLENCODED
from intake.forms.service_form import ServiceForm
from intake.forms.services import BY_NAME, settings_of
from models.inbound import EventState
from models.lead import Lead
from tests.intake.forms.reading import FIXTURES, NOW, delivery, form, label, read, sent, summary

NAMES = (
    *("typeform", "tally", "jotform", "gravity-forms", "contact-form-7", "wpforms", "elementor"),
    "google-forms",
)
#: Where each service that signs puts its signature.
SIGNED = {
    "typeform": "Typeform-Signature",
    "tally": "Tally-Signature",
    "google-forms": "X-Portaria-Signature",
}
FILES = sorted(file for name in NAMES for file in (FIXTURES / name).glob("*.json"))


def test_every_format_has_its_payloads() -> None:
    assert {name: sum(f.parent.name == name for f in FILES) >= 3 for name in NAMES} == dict.fromkeys(
        NAMES, True
    )


@pytest.mark.parametrize("file", FILES, ids=label)
def test_what_the_service_sends_is_the_enquiry_it_is(file: Path) -> None:
    expected = json.loads(file.read_text())["expect"]
    service, came, settings, own = sent(file)
    service.verify(came, own)
    (part,) = service.parts(came, own)
    if key := expected.pop("key", None):
        assert part.key == key
    if words := expected.pop("quarantined", None):
        with pytest.raises(Quarantined, match="hidden field") as caught:
            ServiceForm(service).parse(came, settings)
        assert str(caught.value) == words
        return
    found = summary(
        ServiceForm(service).parse(came, settings), json.loads(file.read_text()).get("country", "PT")
    )
    for mapping in ("extra", "attribution"):
        told = expected.pop(mapping, {})
        assert {name: found[mapping].get(name) for name in told} == told
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize("file", FILES, ids=label)
def test_a_delivery_that_comes_again_has_the_same_key(file: Path) -> None:
    service, came, _, own = sent(file)
    later = replace(came, received_at=NOW.replace(hour=18), headers={})
    assert service.parts(came, own) == service.parts(later, own)


SECRET = [
    f for f in FILES if f.parent.name in SIGNED and json.loads(f.read_text())["settings"].get("services")
]


@pytest.mark.parametrize("file", SECRET, ids=label)
def test_only_the_service_is_believed(file: Path) -> None:
    service, came, _, own = sent(file)
    header = SIGNED[service.name].lower()
    signature = came.headers[header]
    wrong: list[Delivery] = [
        replace(came, headers={}),
        replace(came, headers={header: ""}),
        replace(came, headers={header: signature[:-4] + "AAAA"}),
        replace(came, headers={header: signature.removeprefix("sha256=")[:-1]}),
        replace(came, headers={header: "sha256=é\udcff"}),
        replace(came, body=came.body.replace(b'":"', b'":" ', 1)),
        replace(came, body=came.body + b" "),
    ]
    for bad in wrong:
        with pytest.raises(Refused) as refused:
            service.verify(bad, own)
        assert (refused.value.status, refused.value.reason) == (403, "bad_signature")


def test_every_signature_is_tried() -> None:
    assert {f.parent.name for f in SECRET} == set(SIGNED)


@pytest.mark.parametrize("name", SIGNED)
def test_without_a_secret_anybody_may_post(name: str) -> None:
    service = BY_NAME[name]
    service.verify(delivery("{}", {"Content-Type": JSON}), settings_of(service, form({}).services))


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("gravity", "gravity-forms"),
        ("gravityforms", "gravity-forms"),
        ("cf7", "contact-form-7"),
        ("contactform7", "contact-form-7"),
        ("gforms", "google-forms"),
    ],
)
def test_services_are_known_by_what_people_call_them(word: str, name: str) -> None:
    assert BY_NAME[word].name == name


@pytest.mark.parametrize("kind", ["APPLICATION/JSON", "Application/Json; charset=UTF-8"])
def test_a_content_type_may_be_written_in_any_case(kind: str) -> None:
    came = delivery('{"your-name": "Ana"}', {"Content-Type": kind})
    found = ServiceForm(BY_NAME["cf7"]).parse(came, form({"mapping": {"$['your-name']": "company"}}))
    assert found.company == "Ana"


@pytest.mark.parametrize("name", NAMES)
def test_it_comes_in_by_the_door_once(
    client: FlaskClient,
    process: Callable[[], list[tuple[EventState, str | None]]],
    leads: Callable[[], list[Lead]],
    name: str,
) -> None:
    file = next(f for f in FILES if f.parent.name == name and not json.loads(f.read_text())["settings"])
    told = json.loads(file.read_text())
    answers = [
        client.post(f"/in/forms/open/{name}", data=told["body"].encode(), headers=told["headers"])
        for _ in "12"
    ]
    assert [(a.status_code, a.json["status"]) for a in answers if a.json] == [
        (200, "accepted"),
        (200, "repeated"),
    ]
    assert process() == [(EventState.PROCESSED, None)]
    (lead,) = leads()
    assert lead.name == told["expect"]["name"]


@pytest.mark.parametrize(
    ("name", "kind", "body", "status"),
    [
        ("typeform", JSON, b"[]", 400),
        ("tally", URLENCODED, b"a=1", 415),
        ("jotform", JSON, b"{}", 415),
        ("gravity-forms", JSON, b"{", 400),
        ("contact-form-7", MULTIPART, b"x", 400),
        ("wpforms", "text/plain", b"x", 415),
        ("elementor", JSON, b"null", 400),
        ("google-forms", JSON, b"\xff", 400),
    ],
)
def test_the_door_is_shut_to_what_is_malformed(
    client: FlaskClient, name: str, kind: str, body: bytes, status: int
) -> None:
    assert client.post(f"/in/forms/open/{name}", data=body, content_type=kind).status_code == status


def test_elementor_asks_nothing_of_fields_that_stand_alone() -> None:
    """Without what the action adds, an address or a browser's name is an answer like any other."""
    found = read("elementor", {"Website": "https://ana.example", "Browser": "Mozilla/5.0"})
    assert "page_url" in found.attribution
    plain = read("elementor", {"Website": "https://ana.example", "Browser": "Firefox"})
    assert plain.fields == {"website": "https://ana.example", "browser": "Firefox"}


def test_answers_of_a_grid_are_kept_together() -> None:
    found = read("google-forms", {"answers": [{"question": "Days", "answer": [["Mon"], "Tue", None, {}]}]})
    assert found.fields == {"days": "Mon, Tue"}
