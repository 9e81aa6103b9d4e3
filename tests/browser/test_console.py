"""The console as a person meets it, on a telephone and on a desk."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.serving import make_server

import console
from console.auth import first_sign_in_link
from core import clock, db
from core.secrets import derived_key
from core.settings import settings
from crm import activities, contacts
from models.call import Call, CallResult
from models.call_order import CallOrder
from models.lead import Lead
from models.source import Channel, Source
from models.user import Role, User
from tests.browser import scene
from tests.console import seed
from tests.console.test_quarantine import hold

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Request

pytestmark = pytest.mark.browser
_SIZES = {"phone": (390, 844), "desk": (1280, 900)}


@pytest.fixture
def service(database: db.Database) -> Iterator[str]:
    """The console at an address of its own, where it is always NOW."""
    app = Flask("test")
    app.config.update(SECRET_KEY=derived_key("sessions"), SESSION_COOKIE_NAME="portaria_session")
    console.mount(app)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    with clock.frozen(seed.NOW):
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
        server.server_close()


class Visit:
    """One page of a browser, which keeps what it complains about and is photographed."""

    def __init__(self, page: Page, name: str, folder: Path) -> None:
        self.page = page
        self.complaints: list[str] = []
        self._name = name
        self._folder = folder
        page.on(
            "console", lambda m: self.complaints.append(m.text) if m.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda e: self.complaints.append(str(e)))
        page.on("requestfailed", self._failed)

    def _failed(self, request: Request) -> None:
        # A page that is left stops what it was still loading: that says nothing about the page.
        if request.failure != "net::ERR_ABORTED":
            self.complaints.append(f"failed: {request.url}: {request.failure}")

    def picture(self, what: str, *, whole: bool = True) -> None:
        """A screenshot of the page, whole or what is in sight; it must not be wider than its window."""
        self.page.wait_for_load_state()  # a page just come to may be empty yet
        width = self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert width <= 0, f"{what} is {width} pixels too wide"
        self._folder.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=self._folder / f"{what}-{self._name}.png", full_page=whole)

    def sign_in(self, service: str) -> None:
        """As Ana would."""
        self.page.goto(service)
        self.page.get_by_label("E-mail").fill("ana@acme.test")
        self.page.get_by_label("Password").fill(seed.PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url("**/leads")


@pytest.fixture(params=[("phone", "dark"), ("desk", "light")], ids="-".join)
def visit(request: pytest.FixtureRequest, chromium: Browser, tmp_path: Path) -> Iterator[Visit]:
    """A browser of one size, by day or by night."""
    size, scheme = request.param
    width, height = _SIZES[size]
    context = chromium.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, java_script_enabled=True
    )
    folder = Path(os.environ.get("SCREENSHOTS", str(tmp_path)))
    made = Visit(context.new_page(), f"{size}-{scheme}", folder)
    yield made
    context.close()


def test_an_agent_signs_in_and_opens_a_lead_from_the_list(service: str, visit: Visit) -> None:
    with db.unit_of_work() as session:
        lead_id = scene.populate(session)
    page = visit.page
    page.goto(service)
    visit.picture("sign-in")
    visit.sign_in(service)
    visit.picture("leads", whole=False)
    page.get_by_role("link", name="Maria Souza").first.click()
    page.wait_for_url(f"**/leads/{lead_id}")
    visit.picture("lead")
    page.get_by_text("Show all").first.click()
    assert page.get_by_text("eleven pharmacies").last.is_visible()
    page.get_by_text("What was sent").first.click()
    visit.picture("lead-open")
    assert visit.complaints == []


def test_the_pages_around_the_list_are_designed_too(service: str, visit: Visit) -> None:
    with db.unit_of_work() as session:
        seed.workspace(session)
    visit.sign_in(service)
    visit.picture("leads-none")
    with db.unit_of_work() as session:
        seed.lead(session)
    visit.page.goto(f"{service}/leads?q=nobody%20of%20this%20name")
    visit.picture("leads-not-found")
    assert visit.complaints == []
    visit.page.goto(f"{service}/leads/999")
    visit.picture("problem")


def test_the_first_administrator_chooses_a_password(service: str, visit: Visit) -> None:
    with db.unit_of_work() as session:
        link = first_sign_in_link(session, service)
    assert link
    page = visit.page
    page.goto(link)
    page.get_by_label("Password").fill("a long enough one")
    page.get_by_label("The same again").fill("another one than that")
    page.get_by_role("button").click()
    assert "not the same twice" in page.get_by_role("alert").inner_text()
    visit.picture("welcome")
    page.get_by_label("Password").fill("a long enough one")
    page.get_by_label("The same again").fill("a long enough one")
    page.get_by_role("button").click()
    page.wait_for_url("**/leads")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    assert [c for c in visit.complaints if "422" not in c] == []


def test_what_came_from_outside_never_runs_and_never_loads(service: str, visit: Visit) -> None:
    hostile = (
        '"><img src=//evil.test/x onerror=alert(1)><script>alert(1)</script><style>*{display:none}</style>'
    )
    with db.unit_of_work() as session:
        seed.workspace(session)
        lead = seed.lead(
            session, name=hostile, title=hostile, message=hostile, tags=[hostile], company=hostile
        )
        seed.entry(
            session, lead, "submission", hostile, data={"message": hostile, "extra": {hostile: hostile}}
        )
    asked: list[str] = []
    visit.page.on("request", lambda request: asked.append(request.url))
    visit.page.on("dialog", lambda dialog: visit.complaints.append(dialog.message))
    visit.sign_in(service)
    visit.page.goto(f"{service}/leads/{lead.id}")
    visit.page.get_by_text("What was sent").click()
    visit.picture("lead-hostile")
    assert visit.complaints == []
    assert [url for url in asked if not url.startswith(service)] == []


def test_a_manager_declares_a_form_and_releases_what_was_held_back(
    service: str, visit: Visit, database: db.Database
) -> None:
    with db.unit_of_work() as session:
        scene.populate(session)
        session.scalars(select(User).where(User.email == "ana@acme.test")).one().role = Role.MANAGER
    hold(database, b"name=Eve+Low&email=eve%40client.test&message=Seven+links+in+it&size=12")
    hold(database, b"{", adapter="tally")
    visit.sign_in(service)
    page = visit.page
    page.goto(f"{service}/quarantine")
    visit.picture("quarantine")
    with page.expect_navigation():
        page.get_by_role("button", name="Make it a lead").last.click()
    page.locator("summary", has_text="More").click()
    page.get_by_role("link", name="Forms").click()
    page.wait_for_url("**/forms")
    page.get_by_role("link", name="New form").click()
    page.get_by_label("Declaration").fill("key: quote\nfields: [{name: size, type: rocket}]\n")
    page.get_by_role("button", name="Save").click()
    assert "rocket" in page.get_by_role("alert").inner_text()
    visit.picture("form-mistake")
    page.get_by_label("Declaration").fill("key: quote\nname: Ask for a quote\nfields: [{name: size}]\n")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**/forms#quote")
    card = page.locator("#quote")
    card.get_by_role("heading", name="Ask for a quote").wait_for()
    visit.picture("forms")
    card.get_by_text("Take out of use").click()
    visit.picture("forms-sure", whole=False)
    card.get_by_role("button", name="Yes").click()
    page.wait_for_url("**/forms")
    assert card.count() == 0
    assert [c for c in visit.complaints if "422" not in c] == []


def test_everything_can_be_reached_with_the_keyboard(service: str, visit: Visit) -> None:
    with db.unit_of_work() as session:
        lead_id = scene.populate(session)
    visit.sign_in(service)
    page = visit.page
    page.keyboard.press("Tab")
    assert _focused(page)["text"] == "Skip to the content"
    for _ in range(40):
        page.keyboard.press("Tab")
        if re.search(rf"/leads/{lead_id}$", _focused(page)["href"]):
            break
    visit.picture("leads-focus", whole=False)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/leads/{lead_id}")


def _focused(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate(
        "({text: document.activeElement.textContent.trim(), href: document.activeElement.href || ''})"
    )
    return found


def test_a_call_that_rings_is_seen_on_every_page_until_somebody_answers(service: str, visit: Visit) -> None:
    with db.unit_of_work() as session:
        lead_id = scene.populate(session)
        seed.ringing(session, "+5511987650000", started_at=seed.NOW)
    visit.sign_in(service)
    page = visit.page
    card = page.locator(".ring")
    card.get_by_text("Maria Souza").wait_for()
    assert "Call from Maria Souza" in page.locator("[aria-live=assertive]").inner_text()
    with db.unit_of_work() as session:
        unknown = seed.ringing(session, "+5521999998888", hint="<b>PADARIA</b> DO ZE")
    card.get_by_text("<b>PADARIA</b> DO ZE?").wait_for()
    page.get_by_role("link", name="Open the lead").focus()
    visit.picture("ringing-list", whole=False)
    page.get_by_role("link", name="Open the lead").click()
    page.wait_for_url(f"**/leads/{lead_id}")
    page.locator(".ring", has_text="Maria Souza").get_by_role("button", name="Hide this call").click()
    card.get_by_role("button", name="Take the call").wait_for()
    assert card.count() == 1
    visit.picture("ringing-lead", whole=False)
    with db.unit_of_work() as session:
        session.get_one(Call, unknown.id).answered_at = seed.NOW
    card.wait_for(state="detached")
    assert page.title().startswith("Maria Souza")
    assert visit.complaints == []


def test_counters_follow_what_happens_while_a_page_is_open(service: str, visit: Visit) -> None:
    with db.unit_of_work() as session:
        people = seed.workspace(session)
        lead_id = seed.lead(session, owner_id=people["ana"].id, name="Maria").id
    visit.sign_in(service)
    page = visit.page
    overdue = page.locator("[data-count=overdue]")
    with page.expect_response(lambda r: r.url.endswith("/ringing") and r.status == 304):
        pass  # nothing is new, and the page goes on asking
    assert overdue.is_hidden()
    with db.unit_of_work() as session:
        lead = session.get_one(Lead, lead_id)
        due = seed.NOW - timedelta(hours=1)
        activities.plan(session, lead, type="call", subject="Call her", due_at=due, actor="user:1")
    overdue.wait_for()
    assert overdue.inner_text() == "1"
    assert visit.complaints == []


def test_a_contact_is_written_to_from_its_page(service: str, visit: Visit) -> None:
    with db.unit_of_work() as session:
        seed.workspace(session)
        contact_id = contacts.create(session, name="Rui Braga", emails=["rui@client.test"], actor="t").id
    visit.sign_in(service)
    page = visit.page
    page.goto(f"{service}/contacts/{contact_id}")
    visit.picture("contact")
    with page.expect_navigation():
        page.get_by_role("link", name="Write an e-mail").click()
    page.get_by_label("Subject").fill("Your chairs")
    page.get_by_label("Text").fill("They are ready.")
    visit.picture("contact-write")
    page.get_by_role("button", name="Send").click()
    page.wait_for_url(f"**/contacts/{contact_id}#timeline")
    page.get_by_role("heading", name="Not sent yet").wait_for()
    visit.picture("contact-unsent")
    assert visit.complaints == []


def test_the_page_of_a_lead_tells_how_a_call_goes_that_was_placed_from_it(
    service: str, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTARIA_PUBLIC_URL", "https://in.acme.test")
    settings.cache_clear()
    with db.unit_of_work() as session:
        lead_id = scene.populate(session)
        line = {"auth_token": "x", "account_sid": "AC" + "0" * 32, "numbers": ["+551140000000"]}
        source = session.scalars(select(Source).where(Source.channel == Channel.CALL)).first()
        assert source is not None
        source.settings = {"key": source.key, "provider": "twilio", **line}
        session.scalars(select(User).where(User.email == "ana@acme.test")).one().phone = "+5511999990001"
    visit.sign_in(service)
    page = visit.page
    page.goto(f"{service}/leads/{lead_id}")
    page.locator("#calling").get_by_role("button", name="Call").click()
    line_of = page.locator("#calling [data-call]")
    line_of.get_by_text("will ring in a moment").wait_for()
    again = page.locator('#calling [data-when="again"]')
    assert again.is_hidden()
    with db.unit_of_work() as session:
        session.scalars(select(CallOrder)).one().call.group_id = "CA1"
    line_of.get_by_text("the telephones ring").wait_for()
    page.locator("#note").fill("Half a word")
    visit.picture("calling")
    with db.unit_of_work() as session:
        session.scalars(select(CallOrder)).one().call.answered_at = seed.NOW
    line_of.get_by_text("they are talking").wait_for()
    assert page.locator("#note").input_value() == "Half a word"
    with db.unit_of_work() as session:
        call = session.scalars(select(CallOrder)).one().call
        call.result, call.talk_seconds = CallResult.ANSWERED, 61
    line_of.get_by_text("answered, 1 min 1 s").wait_for()
    again.wait_for(state="visible")
    assert page.locator("#note").input_value() == "Half a word"
    assert visit.complaints == []
