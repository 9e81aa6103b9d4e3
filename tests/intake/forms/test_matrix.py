"""Bad input, as a table: what is sent, what is answered, and that nothing is run, lost or shown raw."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from core import db
from models.inbound import EventState, InboundEvent
from models.lead import Lead

URLENCODED, JSON = "application/x-www-form-urlencoded", "application/json"
MULTIPART = "multipart/form-data; boundary=x"
MIB = 1024 * 1024
ANA = b"name=Ana&email=ana%40client.test&"
SCRIPT = b"<script>alert(1)</script>"
Process = Callable[[], list[tuple[EventState, str | None]]]


def part(head: bytes, content: bytes = b"v") -> bytes:
    return b"--x\r\nContent-Disposition: form-data; " + head + b"\r\n\r\n" + content + b"\r\n"


MATRIX: list[tuple[str, bytes, str, int]] = [
    ("an empty body", b"", URLENCODED, 400),
    ("an empty body of JSON", b"", JSON, 400),
    ("nothing but empty fields", b"name=&email=", URLENCODED, 400),
    ("one MiB and one byte", b"a=" + b"x" * (MIB - 1), URLENCODED, 413),
    ("a field of almost one MiB", ANA + b"message=" + b"x" * (MIB - 100), URLENCODED, 202),
    ("ten thousand fields", b"&".join(b"a%d=1" % n for n in range(10_000)), URLENCODED, 400),
    ("ten thousand fields of JSON", json.dumps({str(n): n for n in range(10_000)}).encode(), JSON, 400),
    ("nested a thousand deep", b'{"a":' * 1000 + b"1" + b"}" * 1000, JSON, 400),
    ("lists nested a hundred thousand deep", b"[" * 100_000, JSON, 400),
    ("NUL and control characters", ANA + b"message=%00%01%1b%7f", URLENCODED, 202),
    ("no UTF-8", ANA + b"message=%ff%fe%80", URLENCODED, 202),
    ("another charset than declared", ANA + b"message=%e9", URLENCODED + "; charset=utf-16", 202),
    ("an unknown charset", ANA + b"message=x", URLENCODED + "; charset=klingon", 202),
    ("lone surrogates", b'{"email": "ana@client.test", "message": "\\ud800 \\udfff"}', JSON, 202),
    ("a key twice", b'{"email": "x", "email": "ana@client.test"}', JSON, 202),
    ("no JSON by its standard: NaN", b'{"email": "ana@client.test", "n": NaN, "m": 1e999}', JSON, 400),
    ("a number of 5,000 digits", b'{"email": "ana@client.test", "n": ' + b"9" * 5000 + b"}", JSON, 400),
    ("a multipart without end", part(b'name="email"', b"ana@client.test")[:-2], MULTIPART, 400),
    ("a multipart without boundary", ANA, "multipart/form-data", 400),
    (
        "a file named as a path",
        part(b'name="email"', b"ana@client.test") + part(b'name="f"; filename="../../etc/passwd"') + b"--x--\r\n",
        MULTIPART,
        202,
    ),
    (
        "a header in a file's name",
        part(b'name="email"', b"ana@client.test")
        + part(b'name="f"; filename="a%0d%0aSet-Cookie: x=1"')
        + b"--x--\r\n",
        MULTIPART,
        202,
    ),
    ("a header in the name", b"name=a%0d%0aBcc:+x%40y.test&email=ana%40client.test", URLENCODED, 202),
    ("a formula", ANA + b'message==HYPERLINK("http://evil.test")', URLENCODED, 202),
    ("a script in every field", b"name=%s&message=%s&x=%s&email=ana%%40client.test" % (SCRIPT, SCRIPT, SCRIPT), URLENCODED, 202),
    ("a template", ANA + b"message={{ ''.__class__ }}{%25 raise %25}", URLENCODED, 202),
    ("owner, status, source and score", ANA + b"owner=1&status=converted&source=x&score=99&path=/etc", URLENCODED, 202),
    ("no form at all", b"<a/>", "application/xml", 415),
    ("another type than it says", b"\x89PNG", JSON, 400),
]  # fmt: skip


@pytest.mark.parametrize(("body", "kind", "status"), [m[1:] for m in MATRIX], ids=[m[0] for m in MATRIX])
def test_bad_input_gets_its_answer_and_what_is_accepted_is_kept_whole(
    client: FlaskClient, database: db.Database, process: Process, body: bytes, kind: str, status: int
) -> None:
    answer = client.post(
        "/in/forms/open", data=body, content_type=kind, headers={"Accept": "application/json"}
    )
    assert answer.status_code == status
    if status >= 400:
        assert answer.mimetype == "application/problem+json"
        assert answer.json is not None
        assert answer.json["detail"]
    with database.reading() as session:
        kept = session.scalars(select(InboundEvent.body)).all()
    assert kept == ([body] if status == 202 else [])
    for state, error in process():
        assert state in (EventState.PROCESSED, EventState.QUARANTINED), error
    with database.reading() as session:
        for lead in session.scalars(select(Lead)):
            assert (lead.owner_id, lead.status.value, lead.score, lead.source.key) == (None, "new", 0, "open")
            assert not any(ord(c) < 32 and c not in "\n\t" for c in lead.name + lead.message)


def test_a_zip_bomb_is_kept_closed(client: FlaskClient, database: db.Database, process: Process) -> None:
    bomb = b"PK\x03\x04" + b"\x14\0\0\0\x08\0" + b"\0" * 200_000
    sent = {"email": "ana@client.test", "f": (BytesIO(bomb), "a.zip")}
    assert client.post("/in/forms/open", data=sent, headers={"Accept": "application/json"}).status_code == 202
    assert process() == [(EventState.PROCESSED, None)]


def test_a_foreign_origin_is_refused_where_sites_are_named(
    client: FlaskClient, database: db.Database
) -> None:
    sent = {"name": "Ana", "email": "ana@client.test"}
    told = {"Accept": "application/json", "Origin": "https://evil.test"}
    answer = client.post("/in/forms/full", json=sent, headers=told)
    assert answer.status_code == 403
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "Access-Control-Allow-Origin" not in client.options("/in/forms/full", headers=told).headers
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(InboundEvent)) == 0


def test_what_was_typed_comes_back_as_text_and_never_as_markup(client: FlaskClient) -> None:
    hostile = '"><script>alert(1)</script>'
    page = client.post(
        "/in/forms/full", data={"name": hostile, "email": hostile}, headers={"Accept": "text/html"}
    )
    assert page.status_code == 422
    assert "<script>alert" not in page.text
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]


VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=20,
)
KINDS = st.sampled_from([URLENCODED, JSON, MULTIPART, "text/plain", "", "multipart/form-data", "x/" * 50])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=400)
    | st.dictionaries(st.text(max_size=20), VALUES, max_size=6).map(lambda d: json.dumps(d).encode()),
    kind=KINDS,
    form=st.sampled_from(["open", "full", "puzzle", "open/generic", "open/jotform", "open/tally", "open/x"]),
    page=st.booleans(),
)
def test_whatever_is_sent_gets_an_answer(
    client: FlaskClient, body: bytes, kind: str, form: str, page: bool
) -> None:
    accept = {"Accept": "text/html" if page else "application/json"}
    answer = client.post(f"/in/forms/{form}", data=body, content_type=kind, headers=accept)
    assert answer.status_code in (200, 202, 303, 400, 404, 413, 415, 422)
