"""A visitor's way: the hosted page, and the widget on somebody else's site."""

from __future__ import annotations

import functools
import http.server
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select
from werkzeug.serving import make_server

from boot.app import create_app
from core import db
from core.settings import settings
from models.inbound import InboundEvent
from tests.factories import configure

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
_SIZES = {"phone": (390, 844), "desk": (1280, 900)}
_FORMS = """
workspace: {name: Acme, country: PT, timezone: Europe/Lisbon, currency: EUR}
forms:
  - key: contact
    name: Talk to us
    intro: We answer within a day.
    allowed_origins: ["%(site)s"]
    protection: {min_seconds: 0, captcha: {kind: altcha, difficulty: 1000}}
    fields:
      - {name: name, label: Your name, required: true}
      - {name: email, type: email, label: E-mail, required: true}
      - {name: size, type: select, choices: [Small, "Large </script><b>x</b>"]}
      - {name: topics, type: multiselect, choices: [Prices, Training]}
      - {name: message, type: textarea, help: Whatever helps us}
      - {name: cv, type: file, accept: [pdf]}
      - {name: news, type: consent, label: You may write to me now and then}
  - key: gate
    allowed_origins: ["%(site)s"]
    protection: {min_seconds: 0, captcha: {kind: turnstile, site_key: our-site, secret: s}}
    fields: [{name: email, type: email, label: E-mail, required: true}]
  - {key: elsewhere, allowed_origins: [https://www.other.test], fields: [{name: email, type: email}]}
"""
_HOSTILE = (
    "<style>* { color: red !important; font-size: 40px !important; display: inline !important }</style>"
)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """A site of another origin."""
    folder = tmp_path / "site"
    folder.mkdir()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    handler.log_message = lambda *_: None  # type: ignore[attr-defined]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def service(
    database: db.Database, site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The door, at an address of its own; the site's pages carry its widget."""
    configure(_FORMS % {"site": site})
    app = create_app()
    server = make_server("127.0.0.1", 0, app, threaded=True)
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("PORTARIA_PUBLIC_URL", address)
    settings.cache_clear()
    for name, form, more in (
        ("inline", "contact", ""),
        ("button", "contact", ' data-button="Contact us"'),
        ("elsewhere", "elsewhere", ""),
        ("gate", "gate", ""),
    ):
        script = f'<script src="{address}/in/forms/{form}/widget.js"{more} async></script>'
        (tmp_path / "site" / f"{name}.html").write_text(
            f"<!doctype html><title>Site</title>{_HOSTILE}<body><h1>A site</h1>{script}</body>"
        )
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield address
    server.shutdown()
    thread.join()
    server.server_close()
    app.extensions["journal"].stop()


@pytest.fixture(params=_SIZES)
def page(request: pytest.FixtureRequest, chromium: Browser, tmp_path: Path) -> Iterator[Page]:
    width, height = _SIZES[request.param]
    context = chromium.new_context(viewport={"width": width, "height": height}, locale="en-GB")
    made = context.new_page()
    complaints: list[str] = []
    made.on("pageerror", lambda e: complaints.append(str(e)))
    made.on("console", lambda m: complaints.append(m.text) if "Content Security" in m.text else None)
    yield made
    context.close()
    assert complaints == []


def picture(page: Page, name: str) -> None:
    width = page.viewport_size["width"] if page.viewport_size else 0
    if folder := os.environ.get("SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"form-{name}-{width}.png", full_page=True)


def posted(database: db.Database) -> list[dict[str, Any]]:
    with database.reading() as session:
        rows = session.scalars(select(InboundEvent).order_by(InboundEvent.id)).all()
        return [dict(row.envelope["facts"]) for row in rows]


def test_the_hosted_page_from_the_mistake_to_the_thanks(
    page: Page, service: str, database: db.Database
) -> None:
    page.goto(f"{service}/in/forms/contact")
    picture(page, "hosted")
    page.get_by_label("Your name").fill("Ana <b>")
    page.get_by_role("button", name="Send").click()
    page.get_by_text("Please look at the marked fields again.").wait_for()
    picture(page, "mistake")
    assert page.get_by_label("Your name").input_value() == "Ana <b>"
    assert page.get_by_label("E-mail").get_attribute("aria-invalid") == "true"
    page.get_by_label("E-mail").fill("ana@client.test")
    page.get_by_role("button", name="Send").dblclick()
    page.wait_for_url("**/thanks")
    picture(page, "thanks")
    (facts,) = posted(database)
    assert facts["mark"] == "ours"
    assert "proof" in facts


def test_the_hosted_page_needs_no_script(chromium: Browser, service: str, database: db.Database) -> None:
    context = chromium.new_context(java_script_enabled=False)
    made = context.new_page()
    made.goto(f"{service}/in/forms/contact")
    made.get_by_label("Your name").fill("Ana")
    made.get_by_label("E-mail").fill("ana@client.test")
    made.get_by_role("button", name="Send").click()
    made.wait_for_url("**/thanks")
    context.close()
    assert len(posted(database)) == 1


def test_the_widget_on_another_site_sends_once(
    page: Page, service: str, site: str, database: db.Database
) -> None:
    page.goto(f"{site}/inline.html?utm_source=ad&gclid=c1")
    page.get_by_label("Your name").fill("Ana")
    picture(page, "widget")
    assert page.get_by_label("Your name").evaluate("e => getComputedStyle(e).fontSize") == "16px"
    page.get_by_role("button", name="Send").click()
    page.get_by_text("Please enter an e-mail address").or_(page.get_by_text("Please fill in")).wait_for()
    picture(page, "widget-mistake")
    assert posted(database) == []
    page.get_by_label("E-mail").fill("ana@client.test")
    page.get_by_label("Training").check()
    page.get_by_role("button", name="Send").dblclick()
    page.get_by_role("heading", name="Thank you").wait_for()
    picture(page, "widget-thanks")
    (facts,) = posted(database)
    assert facts["mark"] == "ours"
    assert "proof" in facts
    with database.reading() as session:
        body = session.scalars(select(InboundEvent.body)).one().decode()
    assert '"utm_source":"ad"' in body
    assert '"topics":["Training"]' in body
    assert "first_touch" in body


def test_the_widget_goes_on_when_the_server_was_away_even_after_a_reload(
    page: Page, service: str, site: str, database: db.Database
) -> None:
    page.goto(f"{site}/inline.html")
    page.get_by_label("Your name").fill("Ana")
    page.get_by_label("E-mail").fill("ana@client.test")
    away = f"{service}/in/forms/contact"
    page.route(away, lambda route: route.abort())
    page.get_by_role("button", name="Send").click()
    page.get_by_text("No connection.").wait_for()
    page.reload()
    page.get_by_text("No connection.").wait_for()
    assert posted(database) == []
    page.unroute(away)
    page.get_by_role("heading", name="Thank you").wait_for()
    assert len(posted(database)) == 1


def test_an_answer_that_got_lost_makes_no_second_enquiry(
    page: Page, service: str, site: str, database: db.Database
) -> None:
    page.goto(f"{site}/inline.html")
    page.get_by_label("Your name").fill("Ana")
    page.get_by_label("E-mail").fill("ana@client.test")
    away, lost = f"{service}/in/forms/contact", []

    def lose(route: Any) -> None:
        if not lost:
            lost.append(route.fetch().status)
            route.abort()
        else:
            route.continue_()

    page.route(away, lose)
    page.get_by_role("button", name="Send").click()
    page.get_by_role("heading", name="Thank you").wait_for()
    assert lost == [202]
    assert len(posted(database)) == 1


def test_the_widget_as_a_button_opens_closes_and_keeps_what_was_typed(
    page: Page, service: str, site: str
) -> None:
    page.goto(f"{site}/button.html")
    page.get_by_role("button", name="Contact us").click()
    page.get_by_label("Your name").fill("Ana")
    picture(page, "dialog")
    page.keyboard.press("Escape")
    assert not page.get_by_label("Your name").is_visible()
    page.reload()
    page.get_by_role("button", name="Contact us").click()
    assert page.get_by_label("Your name").input_value() == "Ana"


def test_a_site_that_is_not_named_cannot_send(
    page: Page, service: str, site: str, database: db.Database
) -> None:
    page.goto(f"{site}/elsewhere.html")
    page.get_by_label("Email").fill("ana@client.test")
    page.get_by_role("button", name="Send").click()
    page.get_by_text("No connection.").or_(page.get_by_text("could not be sent")).wait_for()
    assert posted(database) == []


def test_the_widget_is_small_and_nothing_in_it_ends_the_script(page: Page, service: str) -> None:
    answer = page.request.get(f"{service}/in/forms/contact/widget.js")
    assert len(answer.body()) < 15_000
    assert "</script" not in answer.text()


_TURNSTILE = """
window.turnstile = {
  render(place, given) {
    const box = document.createElement("input");
    box.type = "checkbox";
    box.setAttribute("aria-label", "I am a person");
    box.onchange = () => given.callback("answer for " + given.sitekey);
    place.append(box);
    return 7;
  },
  reset() {},
};
window[new URL(document.querySelector("script[src*=turnstile]").src).searchParams.get("onload")]();
"""


def test_the_widget_hands_over_what_a_captcha_says(
    page: Page, service: str, site: str, database: db.Database
) -> None:
    """Its service draws into the host page, where it finds what it has drawn."""
    page.route(
        "https://challenges.cloudflare.com/**",
        lambda route: route.fulfill(body=_TURNSTILE, content_type="text/javascript"),
    )
    page.goto(f"{site}/gate.html")
    page.get_by_label("E-mail").fill("ana@client.test")
    page.get_by_label("I am a person").check()
    picture(page, "widget-captcha")
    page.get_by_role("button", name="Send").click()
    page.get_by_role("heading", name="Thank you").wait_for()
    with database.reading() as session:
        (event,) = session.scalars(select(InboundEvent))
        session.refresh(event, ["body"])
    assert json.loads(event.body)["cf-turnstile-response"] == "answer for our-site"
