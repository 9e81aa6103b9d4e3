"""What came from outside stays text, and what goes wrong tells nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from markupsafe import escape
from sqlalchemy import select, update

from core import db
from models import RulesetVersion, Source, StepRow, Trace, User
from models.user import Role
from tests.console import seed
from tests.console.conftest import token
from tests.console.test_rights import an_example

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "{{7*7}}{%print(7*7)%}",
    "</div></main><form action=//evil.test><input name=password>",
    "\u202egnp.exe\u2066",
    "<b>" + "x" * 600,
)
_TAGS = (
    "html head meta title link body header nav main aside section form input label select option textarea button "
    "h1 h2 h3 h4 p a span div b code pre ul ol li dl dt dd table thead tbody tr th td time img br "
    "details summary svg path circle strong template hr figure figcaption rect text desc line"
)


class Page(HTMLParser):
    """Every tag and attribute of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def check(text: str) -> None:
    """Nothing on the page could run, load, or post anything but our own."""
    for tag, attributes in Page(text).tags:
        if tag == "script":
            assert attributes["src"] in ("/static/console/ringing.js", "/static/console/menu.js"), attributes
            assert set(attributes) == {"src", "defer"}
            continue
        assert tag in _TAGS.split(), tag
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, attributes)
            assert name != "style", (tag, attributes)
            if name in ("href", "src", "action"):
                assert value is not None
                assert value.startswith(("/", "#", "mailto:", "tel:", "http://127.0.0.1:8000/in/")), value
                assert not value.startswith("//"), value


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_in_every_field_is_only_text(ana: FlaskClient, text: str) -> None:
    with db.unit_of_work() as session:
        session.get_one(User, 1).name = text
        session.get_one(Source, 1).name = text
        lead = seed.lead(
            session, name=text, title=text + "!", email=text, phone=text[:100], company=text, message=text,
            owner_id=1, tags=[text], fields={text: text, "n": {text: [text]}}, attribution={text: text},
        )  # fmt: skip
        seed.activity(session, lead, due=timedelta(0), subject=text, type=text[:100])
        seed.activity(
            session, lead, due=timedelta(0), subject=text, state=seed.ActivityState.DONE, outcome=text
        )
        sent = dict.fromkeys(("name", "company", "title", "message", "channel", "subject", "text"), text)
        parts = {
            "fields": {text: text}, "extra": {text: [{text: text}]}, "attribution": {text: text},
            "emails": [text], "phones": [text], "consent": text, "call": text, "also_used_by_others": [text],
        }  # fmt: skip
        for kind in ("submission", "mail_sent", "email", "comment", "call", "changed", text[:100]):
            seed.entry(session, lead, kind, text, data=sent | parts, actor=f"rule:{text}")
        seed.entry(
            session, lead, "submission", text, data={"extra": text, "fields": [text], "message": [text]}
        )
        call = seed.call(session, lead, from_number=text, to_number=text, recording_url=text)
        seed.entry(session, lead, "call", text, data={"call": call.id}, actor=text)
        trace = seed.traced(session, lead)
        part: dict[str, Any] = {"part": text, "result": None, "saw": {text: text}, "problem": text}
        rule = {"rule": text, "condition": text, "parts": [part], "matched": False}
        planned = rule | {"matched": True, "planned": [text] * 3, "stopped": text, "run": 1}
        trace.rules = [rule, planned]
        trace.trigger = text[:100]
        session.execute(update(StepRow).values(result=text, kind=text[:100]))
    for page in (
        ana.get("/leads"),
        ana.get("/leads/1"),
        ana.get("/leads", query_string={"q": text, "status": text, "owner": text}),
        ana.get("/leads", query_string={"q": "nothing like " + text}),
        ana.get(f"/{text.strip('/').replace('/', '')}"),
        ana.get("/sign-in", query_string={"next": text}),
        ana.application.test_client().get("/sign-in", query_string={"next": text}),
    ):
        if page.mimetype == "text/html" and page.status_code != 303:
            check(page.text)
    assert str(escape(text)) in ana.get("/leads/1").text
    client = ana.application.test_client()
    form = {"csrf_token": token(client.get("/sign-in")), "email": text, "password": text, "next": text}
    check(client.post("/sign-in", data=form).text)


def test_only_normalised_addresses_and_numbers_become_links(ana: FlaskClient) -> None:
    with db.unit_of_work() as session:
        seed.lead(session, email="a@b.test?bcc=x@evil.test", phone="+55 11 9")
        seed.lead(session, email='"a b"@client.test', phone="+5511987654321;ext=*21*")
        seed.lead(session, email="a%0d+b&c@client.test", phone="112")
    for lead_id in (1, 2):
        page = ana.get(f"/leads/{lead_id}").text
        assert "mailto:" not in page
        assert "tel:" not in page
    page = ana.get("/leads/3").text
    assert 'href="mailto:a%250d+b%26c@client.test"' in page
    assert "tel:" not in page


def test_a_trace_of_an_older_release_still_shows(ana: FlaskClient) -> None:
    with db.unit_of_work() as session:
        lead = seed.lead(session)
        old: dict[str, Any] = {
            "rule": "Old",
            "matched": True,
            "condition": None,
            "parts": [],
            "planned": ["Send"],
        }
        session.add(
            Trace(lead_id=lead.id, trigger="lead.renamed", at=seed.NOW, ruleset_version_id=None, rules=[old])
        )
        assert session.get(RulesetVersion, 1)
    page = ana.get("/leads/1").text
    assert "lead.renamed" in page
    assert "Send" in page


def pages(ana: FlaskClient) -> Iterator[Any]:
    stranger = ana.application.test_client()
    with db.unit_of_work() as session:
        seed.lead(session)
    yield from (ana.get(path) for path in ("/", "/leads", "/leads/1", "/leads/2", "/nowhere", "/welcome/x"))
    yield from (stranger.get(path) for path in ("/", "/sign-in", "/leads"))
    yield stranger.post("/sign-in", data={})
    yield ana.post("/leads")


def test_every_page_forbids_others_scripts_frames_and_copies(ana: FlaskClient) -> None:
    for answer in pages(ana):
        policy = answer.headers["Content-Security-Policy"]
        assert policy == (
            "default-src 'none'; style-src 'self'; img-src 'self'; media-src 'self'; "
            "script-src 'self'; connect-src 'self'; "
            "form-action 'self'; base-uri 'none'; "
            "frame-ancestors 'none'"
        )
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"


def test_the_style_sheet_may_be_kept_and_sets_no_cookie(stranger: FlaskClient) -> None:
    answer = stranger.get("/static/console/console.css")
    assert answer.status_code == 200
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "no-store" not in answer.headers["Cache-Control"]
    assert "Set-Cookie" not in answer.headers
    answer.close()


def test_who_may_only_look_changes_nothing_on_any_page(
    ana: FlaskClient, app: Flask, database: db.Database
) -> None:
    with database.unit_of_work() as session:
        session.scalars(select(User).where(User.email == "ana@acme.test")).one().role = Role.READ_ONLY
    mark = token(ana.get("/leads"))
    posts = [rule for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ())]
    tried = 0
    for rule in posts:
        if rule.endpoint.removeprefix("console.") in (
            "sign_in_post",
            "sign_out",
            "welcome_post",
            "notifications_read",
        ):
            continue
        values = {name: an_example(rule._converters[name]) for name in rule.arguments}
        path = app.url_map.bind("localhost").build(rule.endpoint, values, "POST")
        assert ana.post(path, data={"csrf_token": mark}).status_code == 403, rule
        tried += 1
    assert tried > 10
