"""What becomes of a form's enquiry beside the lead: files, consent, attribution, answers to who sent it."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from api.auth import create_token
from core import db, storage
from core.errors import Unavailable
from models.attachment import Attachment
from models.consent import ConsentGiven
from models.inbound import EventState, InboundEvent
from models.lead import Lead
from models.rule import StepRow, StepState
from models.user import Role
from rules import runs
from tests.factories import configure

SCRIPT = {"Accept": "application/json"}
BROWSER = {"Accept": "text/html"}
GOOD = {"name": "Ana", "email": "ana@client.test"}
PDF = b"%PDF-1.7\n1 0 obj\n"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40
Process = Callable[[], list[tuple[EventState, str | None]]]
Leads = Callable[[], list[Lead]]


def upload(client: FlaskClient, form: str, field: str, *files: tuple[bytes, str]) -> Any:
    sent = {**GOOD, field: [(BytesIO(content), name) for content, name in files]}
    return client.post(f"/in/forms/{form}", data=sent, headers=SCRIPT, content_type="multipart/form-data")


def bearer(database: db.Database, role: Role = Role.AGENT) -> dict[str, str]:
    with database.unit_of_work() as session:
        return {"Authorization": f"Bearer {create_token(session, 'x', role)}"}


def test_files_are_kept_under_names_of_ours_and_given_out_to_be_saved(
    client: FlaskClient, database: db.Database, process: Process
) -> None:
    hostile = "../../etc/passwd.pdf"
    upload(
        client, "open", "attachment", (PDF, hostile), (b"MZ\x90\0" + b"\0" * 60, "photo.png"), (PNG, "ä.png")
    )
    assert process() == [(EventState.PROCESSED, None)]
    with database.reading() as session:
        rows = session.scalars(select(Attachment).order_by(Attachment.position)).all()
        event_id = session.scalars(select(InboundEvent.id)).one()
    assert [(r.kind, r.place, r.refused) for r in rows] == [
        ("application/pdf", f"enquiries/{event_id}/0", ""),
        ("application/vnd.microsoft.portable-executable", "", "files of this kind are not taken"),
        ("image/png", f"enquiries/{event_id}/2", ""),
    ]
    assert storage.get(rows[0].place) == PDF
    assert client.get(f"/api/v1/attachments/{rows[0].id}").status_code == 401
    token = bearer(database)
    listed = client.get("/api/v1/leads/1/attachments", headers=token).json
    assert listed is not None
    assert [(f["name"], f["size"]) for f in listed["items"]][2] == ("ä.png", len(PNG))
    answer = client.get(f"/api/v1/attachments/{rows[2].id}", headers=token)
    assert (answer.data, answer.mimetype) == (PNG, "application/octet-stream")
    assert (
        answer.headers["Content-Disposition"] == "attachment; filename=\"_.png\"; filename*=UTF-8''%C3%A4.png"
    )
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert client.get(f"/api/v1/attachments/{rows[1].id}", headers=token).status_code == 404


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        (b"<script>alert(1)</script>", "cv.pdf", "Files of this kind are not taken."),
        (b"%PDF-1.7" + b"x" * 2000, "cv.pdf", "The file is too large: at most 2 kB."),
    ],
)
def test_a_declared_file_is_judged_by_its_content(
    client: FlaskClient, content: bytes, name: str, words: str
) -> None:
    answer = upload(client, "full", "cv", (content, name))
    assert answer.status_code == 422
    assert answer.json["errors"] == [{"field": "cv", "detail": words}]


def test_a_storage_that_is_away_delays_and_loses_nothing(
    client: FlaskClient, database: db.Database, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(client, "open", "cv", (PDF, "cv.pdf"))
    with monkeypatch.context() as patched:

        def full(key: str, content: bytes) -> None:
            raise Unavailable("the storage does not take the file: no space left on device")

        patched.setattr(storage, "put", full)
        ((state, error),) = process()
    assert (state, error) == (
        EventState.RECEIVED,
        "the storage does not take the file: no space left on device",
    )
    with database.unit_of_work() as session:
        event = session.scalars(select(InboundEvent)).one()
        event.retry_at = event.received_at
    assert process() == [(EventState.PROCESSED, None)]


def test_consent_is_kept_as_evidence(client: FlaskClient, database: db.Database, process: Process) -> None:
    told = {"Referer": "https://www.acme.test/contact?utm_source=x"} | SCRIPT
    client.post("/in/forms/full", json=GOOD | {"terms": "on"}, headers=told)
    client.post("/in/forms/full", json={"name": "Bo", "email": "bo@client.test", "news": "no"}, headers=told)
    process()
    with database.reading() as session:
        rows = session.scalars(select(ConsentGiven).order_by(ConsentGiven.id)).all()
        consents = session.scalars(select(Lead.consent).order_by(Lead.id)).all()
    said = [(r.lead_id, r.field, r.text, r.version, r.given) for r in rows]
    assert sorted(said) == [
        (1, "news", "You may write to me", "3", False),
        (1, "terms", "I have read the terms", "", True),
        (2, "news", "You may write to me", "3", False),
        (2, "terms", "I have read the terms", "", False),
    ]
    assert {(r.address, r.page, r.source) for r in rows} == {
        ("127.0.0.1", "https://www.acme.test/contact?utm_source=x", "full")
    }
    assert consents == [True, False]
    listed = client.get("/api/v1/leads/1/consents", headers=bearer(database)).json
    assert listed is not None
    assert len(listed["items"]) == 2


def test_without_consent_there_is_a_lead_and_no_marketing(
    client: FlaskClient, database: db.Database, process: Process
) -> None:
    sending = "{send_email: {subject: s, text: t, marketing: true}}"
    configure(
        "workspace: {name: Acme, country: BR, timezone: America/Sao_Paulo, currency: BRL}\n",
        rules=f"  - {{name: r, on: lead.created, do: [{sending}]}}\n"
        "  - {name: s, on: lead.created, when: lead.consent, do: [add_tag: agreed]}",
    )
    client.post("/in/forms/full", json=GOOD | {"terms": "on"}, headers=SCRIPT)
    client.post("/in/forms/full", json={"name": "Bo", "email": "bo@client.test"}, headers=SCRIPT)
    process()
    with database.unit_of_work() as session:
        ids = session.scalars(
            select(StepRow.id).where(StepRow.kind == "send_email").order_by(StepRow.id)
        ).all()
        jobs = [runs.claim(session, step_id) for step_id in ids]
    assert [job is not None for job in jobs] == [True, False]
    with database.reading() as session:
        barred = session.get_one(StepRow, ids[1])
        assert (barred.state, barred.result) == (
            StepState.SKIPPED,
            "left out: they have not agreed to marketing",
        )
        assert session.scalars(select(Lead.tags).order_by(Lead.id)).all() == [["agreed"], []]


def test_the_first_touch_stays_and_the_last_stands_beside_it(
    client: FlaskClient, process: Process, leads: Leads
) -> None:
    first = json.dumps({"utm_source": "ad", "at": "2026-11-01", "evil": "x", "gclid": 5})
    client.post(
        "/in/forms/open", json=GOOD | {"first_touch": first, "utm_source": "mail", "n": 1}, headers=SCRIPT
    )
    process()
    client.post("/in/forms/open", json=GOOD | {"utm_source": "search", "n": 2}, headers=SCRIPT)
    process()
    (lead,) = leads()
    assert lead.attribution == {
        "first_touch": {"utm_source": "ad", "at": "2026-11-01"},
        "utm_source": "mail",
        "last_touch": {"utm_source": "search"},
    }


@pytest.mark.parametrize(
    ("wanted", "location"),
    [
        ("https://www.acme.test/done?x=1", "https://www.acme.test/done?x=1"),
        ("https://evil.test/", "https://www.acme.test/thanks"),
        ("https://www.acme.test@evil.test/", "https://www.acme.test/thanks"),
        ("https://www.acme.test.evil.test/", "https://www.acme.test/thanks"),
        ("//evil.test", "https://www.acme.test/thanks"),
        ("javascript:alert(1)", "https://www.acme.test/thanks"),
        ("https://www.acme.test\\@evil.test", "https://www.acme.test/thanks"),
        ("https://[", "https://www.acme.test/thanks"),
        ("", "https://www.acme.test/thanks"),
    ],
)
def test_a_browser_goes_only_where_the_form_allows(client: FlaskClient, wanted: str, location: str) -> None:
    answer = client.post("/in/forms/full", data=GOOD | {"redirect": wanted}, headers=BROWSER)
    assert (answer.status_code, answer.headers["Location"]) == (303, location)


def test_a_receipt_can_be_asked_for_its_state(client: FlaskClient, process: Process) -> None:
    accepted = client.post("/in/forms/full", json=GOOD, headers=SCRIPT).json
    assert accepted is not None
    address = f"/in/forms/full/receipts/{accepted['event_id']}"
    answer = client.get(address, headers={"Origin": "https://www.acme.test"})
    assert answer.json is not None
    assert answer.json["status"] == "accepted"
    assert answer.headers["Access-Control-Allow-Origin"] == "https://www.acme.test"
    process()
    after = client.get(address).json
    assert after is not None
    assert set(after) == {"event_id", "status", "received_at"}
    assert after["status"] == "processed"
    assert client.get(address.replace("/full/", "/open/")).status_code == 404
    assert client.get("/in/forms/full/receipts/x").status_code == 404


@pytest.mark.parametrize(
    ("fields", "language", "errors"),
    [
        ({"name": ""}, "pt-BR", {"name": "Preencha este campo."}),
        ({"code": "12"}, "en", {"code": "Two letters and a number"}),
        ({"code": "12"}, "de", {"code": "Zwei Buchstaben"}),
        (
            {"email": "x"},
            "fr",
            {"email": "Veuillez indiquer une adresse e-mail, par exemple nom@exemple.fr."},
        ),
        ({"topics": ["Prices", "Nothing"]}, "es", {"topics": "Elija una de las respuestas dadas."}),
        ({"code": "AB-1", "topics": ["Prices", "Training"]}, "ja", {}),
    ],
)
def test_mistakes_are_told_in_the_visitor_s_language(
    client: FlaskClient, fields: dict[str, Any], language: str, errors: dict[str, str]
) -> None:
    answer = client.post("/in/forms/full", json=GOOD | fields, headers=SCRIPT | {"Accept-Language": language})
    assert answer.json is not None
    assert {e["field"]: e["detail"] for e in answer.json.get("errors", [])} == errors
    assert answer.status_code == (422 if errors else 202)


def test_several_answers_stay_several_and_extra_stays_extra(
    client: FlaskClient, process: Process, leads: Leads
) -> None:
    client.post(
        "/in/forms/full",
        json=GOOD | {"topics": ["Prices", "Training"], "note": "n", "shoe": 42},
        headers=SCRIPT,
    )
    process()
    (lead,) = leads()
    assert lead.fields == {"topics": ["Prices", "Training"]}


def test_a_mapping_says_what_guessing_cannot(client: FlaskClient, process: Process, leads: Leads) -> None:
    configure(
        "forms:\n"
        "  - key: mapped\n"
        "    mapping: {'$.person.contacts[?(@.kind==\"mail\")].value': email, Anrede: extra, q7: phone,"
        " 'How big?': size, '$..campaign': utm_campaign}\n"
    )
    document = {
        "person": {
            "contacts": [{"kind": "fax", "value": "no"}, {"kind": "mail", "value": "ana@client.test"}]
        },
        "q7": "+351 912 345 678",
        "Anrede": "Frau",
        "meta": {"campaign": "autumn"},
    }
    client.post("/in/forms/mapped", json=document, headers=SCRIPT)
    process()
    (lead,) = leads()
    assert (lead.email, lead.phone) == ("ana@client.test", "+351912345678")
    assert lead.attribution["utm_campaign"] == "autumn"
    assert "Anrede" not in lead.fields
