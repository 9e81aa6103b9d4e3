"""What somebody was told: counted on every page, read by nobody else; and rules that are let go on."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from console import ringing
from core import clock, db
from crm import notifications
from models.contact import Contact
from models.notification import Notification
from models.storm import Storm
from models.user import Role, User
from tests import factories
from tests.console.conftest import SignIn, token
from worker import clockwork


@pytest.fixture
def told(database: db.Database, people: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Ana has two to read, one of them hostile; Bruno one."""
    monkeypatch.setattr(ringing, "FRESH", 0.0)
    monkeypatch.setattr(ringing, "PEOPLE_FRESH", 0.0)
    with database.unit_of_work() as session:
        ana, bruno = (session.get_one(User, people[key]) for key in ("ana", "bruno"))
        person = factories.contact(session, name="Rui")
        for key, who in (("a", [ana]), ("b", [ana, bruno])):
            notifications.tell(
                session,
                who,
                f"<script>alert({key!r})</script>",
                effect_key=key,
                actor="rule:Hot one",
                about=person,
            )
        assert notifications.tell(session, [ana], "again", effect_key="a", actor="rule:r") == 0
        return list(session.scalars(select(Notification.id).where(Notification.user_id == ana.id)))


def unread(client: FlaskClient) -> int:
    found: int = client.get("/ringing").get_json()["counters"]["unread"]
    return found


def test_the_bell_counts_and_what_is_read_is_read(
    ana: FlaskClient, told: list[int], database: db.Database
) -> None:
    assert unread(ana) == 2
    page = ana.get("/notifications")
    assert "&lt;script&gt;alert(&#39;a&#39;)" in page.text
    assert "<script>alert" not in page.text
    assert "by the rule “Hot one”" in page.text
    with database.reading() as session:
        assert f'href="/contacts/{session.scalars(select(Contact.id)).one()}"' in page.text
    form = {"csrf_token": token(page), "id": [told[0]]}
    assert ana.post("/notifications", data=form).status_code == 303
    assert unread(ana) == 1
    every = {"csrf_token": token(page), "id": [*told, 10**15]}  # and one that is nobody's
    assert ana.post("/notifications", data=every).status_code == 303
    assert unread(ana) == 0
    assert ana.post("/notifications", data={"csrf_token": token(page), "id": "x"}).status_code == 422
    assert ana.post("/notifications", data={"id": told}).status_code == 400  # without the page's token
    with database.reading() as session:
        assert len(notifications.unread(session)) == 1  # Bruno's own is untouched


def test_they_are_kept_for_ninety_days(told: list[int], database: db.Database) -> None:
    with clock.frozen(clock.now() + timedelta(days=91)):
        assert clockwork.forget_notifications() == 3
        assert clockwork.forget_notifications() == 0


@pytest.mark.parametrize(
    ("role", "may"), [(Role.MANAGER, True), (Role.AGENT, False), (Role.READ_ONLY, False)]
)
def test_managers_let_a_rule_go_on(
    stranger: FlaskClient, sign_in: SignIn, told: list[int], database: db.Database, people: dict[str, int], role: Role, may: bool
) -> None:  # fmt: skip
    with database.unit_of_work() as session:
        session.get_one(User, people["ana"]).role = role
        contact_id = session.scalars(select(Contact.id)).one()
        session.add(Storm(rule="<b>Echo", runs=30, contact_id=contact_id, began_at=clock.now()))
    sign_in(stranger)
    page = stranger.get("/notifications")
    assert ("&lt;b&gt;Echo” is held back" in page.text) is may
    form = {"csrf_token": token(page), "rule": "<b>Echo"}
    assert stranger.post("/storms/resume", data=form).status_code == (303 if may else 403)
    with database.reading() as session:
        storm = session.scalars(select(Storm)).one()
        assert (storm.resumed_by == f"user:{people['ana']}") is may
    if may:
        assert "may run again" in stranger.get("/notifications").text
