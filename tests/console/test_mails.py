"""A mail is shown as it came, and nothing in it can do anything to whoever looks at it."""

from __future__ import annotations

import time

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from core import clock, db
from core.ids import new_id
from intake.mailbox.showing import shown
from models.inbound import EventState, InboundEvent
from models.source import Channel, Source

HEAD = b"From: Eve <eve@client.test>\r\nTo: sales@acme.test\r\nSubject: <b>Hi</b>\r\nMIME-Version: 1.0\r\n"
PIXEL = b"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
MAIL = (
    HEAD
    + b"Content-Type: multipart/related; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n"
    + b'<p onclick="x()" style="color:red;background:url(http://t.test/a)">Dear <script>alert(1)</script>you</p>'
    + b'<img src="http://track.test/pixel.png"><img src="cid:logo@x"><a href="javascript:alert(1)">a</a>'
    + b'<a href="https://ok.test/">b</a><form action="/sign-out"><input></form><iframe src="/"></iframe>'
    + b'\r\n--b\r\nContent-Type: image/png; name="../logo.png"\r\nContent-ID: <logo@x>\r\n'
    + b"Content-Transfer-Encoding: base64\r\n\r\n"
    + PIXEL
    + b"\r\n--b--\r\n"
)


def hold(database: db.Database, body: bytes, adapter: str = "imap") -> str:
    event_id = new_id()
    with database.unit_of_work() as session:
        source = session.scalars(select(Source).where(Source.key == "mails")).first()
        if source is None:
            settings = {"key": "mails", "host": "imap.acme.test", "username": "s@acme.test", "password": "x"}
            source = Source(channel=Channel.EMAIL, key="mails", name="Mails", settings=settings, active=True)
            session.add(source)
            session.flush()
        session.add(
            InboundEvent(
                id=event_id,
                source_id=source.id,
                adapter=adapter,
                dedupe_key=event_id,
                state=EventState.QUARANTINED,
                received_at=clock.now(),
                retry_at=clock.now(),
                error="it is bulk mail",
                content_type="message/rfc822",
                envelope={"method": "", "url": "", "headers": {}, "remote_address": "", "facts": {}},
                body=body,
            )
        )
    return event_id


def test_a_mail_is_shown_in_a_frame_that_may_do_nothing(ana: FlaskClient, database: db.Database) -> None:
    event_id = hold(database, MAIL)
    page = ana.get(f"/mails/{event_id}")
    assert "&lt;b&gt;Hi&lt;/b&gt;" in page.text
    assert "1 picture from elsewhere is not shown" in page.text
    assert "frame-src 'self'" in page.headers["Content-Security-Policy"]
    assert "script-src 'self';" in page.headers["Content-Security-Policy"]  # our own files, nothing inline
    frame = ana.get(f"/mails/{event_id}/body")
    policy = frame.headers["Content-Security-Policy"]
    assert "sandbox allow-popups" in policy
    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert "img-src data:;" in policy
    assert "frame-ancestors 'self'" in policy
    for gone in ("script", "onclick", "track.test", "javascript", "<form", "<input", "<iframe", "url("):
        assert gone not in frame.text
    assert 'src="data:image/png;base64,iVBORw0KGgo' in frame.text
    assert 'href="https://ok.test/"' in frame.text
    assert "noopener" in frame.text


def test_pictures_from_elsewhere_come_only_when_asked_for(ana: FlaskClient, database: db.Database) -> None:
    event_id = hold(database, MAIL)
    assert f"/mails/{event_id}/body?pictures=1" in ana.get(f"/mails/{event_id}?pictures=1").text
    frame = ana.get(f"/mails/{event_id}/body?pictures=1")
    assert "http://track.test/pixel.png" in frame.text
    assert "img-src data: https: http:" in frame.headers["Content-Security-Policy"]
    assert frame.headers["Referrer-Policy"] == "no-referrer"


def test_its_files_and_all_of_it_can_be_saved_and_never_opened(
    ana: FlaskClient, database: db.Database
) -> None:
    event_id = hold(database, MAIL)
    file = ana.get(f"/mails/{event_id}/parts/0")
    assert file.data.startswith(b"\x89PNG")
    assert file.headers["Content-Disposition"].startswith('attachment; filename="logo.png"')
    assert ana.get(f"/mails/{event_id}/source").data == MAIL
    assert ana.get(f"/mails/{event_id}/parts/1").status_code == 404


def test_only_mails_are_shown_and_only_to_who_has_signed_in(
    ana: FlaskClient, app: object, database: db.Database
) -> None:
    assert ana.get(f"/mails/{new_id()}").status_code == 404
    event_id = hold(database, HEAD + b"\r\n<script>alert(1)</script>")
    page = ana.get(f"/mails/{event_id}")
    assert "&lt;script&gt;alert(1)" in page.text
    assert "<iframe" not in page.text
    assert f"/mails/{event_id}" in ana.get("/quarantine").text
    stranger = ana.application.test_client()
    for end in ("", "/body", "/parts/0", "/source"):
        assert stranger.get(f"/mails/{event_id}{end}").status_code == 303
    assert ana.get(f"/mails/{hold(database, b'a=b', adapter='form')}").status_code == 404


@pytest.mark.parametrize(
    "piece", [b"<div>", b"<p>", b"<b><p>", b"<table><tr><td>", b"<li>", b"<", b"&", b"<a href=x>"]
)
def test_hostile_html_is_cleaned_in_time(piece: bytes) -> None:
    began = time.thread_time()
    shown(HEAD + b"Content-Type: text/html\r\n\r\n" + piece * (200_000 // len(piece)))
    assert time.thread_time() - began < 30  # what takes the square of its length would need minutes
