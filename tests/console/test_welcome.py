"""The first administrator's way in."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer

from console.auth import FIRST_ADMIN, first_sign_in_link, set_password
from core import db
from core.errors import Invalid
from models.user import Role, User
from tests.console.conftest import token

ADDRESS = "https://sales.acme.test/"


def link() -> str:
    with db.unit_of_work() as session:
        found = first_sign_in_link(session, ADDRESS)
    assert found is not None
    return found


def choose(client: FlaskClient, path: str, password: str, again: str | None = None) -> int:
    form = {
        "csrf_token": token(client.get(path)),
        "password": password,
        "again": password if again is None else again,
    }
    return client.post(path, data=form).status_code


def path_of(address: str) -> str:
    assert address.startswith("https://sales.acme.test/welcome/")
    return address.removeprefix("https://sales.acme.test")


def test_the_link_makes_an_administrator_who_chooses_a_password_and_is_in(app: Flask) -> None:
    client = app.test_client()
    path = path_of(link())
    assert FIRST_ADMIN in client.get(path).text
    assert choose(client, path, "a long enough one") == 303
    assert "Administrator" in client.get("/leads").text
    with db.unit_of_work() as session:
        admin = session.get_one(User, 1)
        assert (admin.email, admin.role, admin.session_epoch) == (FIRST_ADMIN, Role.ADMIN, 1)
        assert first_sign_in_link(session, ADDRESS) is None


def test_the_link_works_once(app: Flask) -> None:
    path = path_of(link())
    page_open_elsewhere = app.test_client()
    form = {"csrf_token": token(page_open_elsewhere.get(path)), "password": "x" * 10, "again": "x" * 10}
    assert choose(app.test_client(), path, "a long enough one") == 303
    assert page_open_elsewhere.post(path, data=form).status_code == 410
    assert app.test_client().get(path).status_code == 410


def test_the_workspaces_own_administrator_comes_first(app: Flask) -> None:
    with db.unit_of_work() as session:
        for email, active in (("gone@acme.test", False), ("clara@acme.test", True), ("eva@acme.test", True)):
            session.add(User(email=email, name=email, role=Role.ADMIN, active=active, session_epoch=0))
    assert "clara@acme.test" in app.test_client().get(path_of(link())).text
    with db.unit_of_work() as session:
        set_password(session, session.get_one(User, 3), "a long enough one")
        assert first_sign_in_link(session, ADDRESS) is None


def test_asking_again_makes_no_second_administrator(app: Flask) -> None:
    first, second = path_of(link()), path_of(link())
    with db.reading() as session:
        assert session.query(User).count() == 1
    assert choose(app.test_client(), second, "a long enough one") == 303
    assert app.test_client().get(first).status_code == 410


def test_an_administrator_who_was_switched_off_comes_back_when_nobody_else_is_there(app: Flask) -> None:
    link()
    with db.unit_of_work() as session:
        session.get_one(User, 1).active = False
    assert app.test_client().get(path_of(link())).status_code == 200


def test_the_link_is_too_old_after_a_day(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    path = path_of(link())
    real = URLSafeTimedSerializer.loads

    def aged(self: URLSafeTimedSerializer, text: str, max_age: int) -> object:
        assert max_age == timedelta(hours=24).total_seconds()
        return real(self, text, max_age=-1)

    monkeypatch.setattr(URLSafeTimedSerializer, "loads", aged)
    assert app.test_client().get(path).status_code == 410


@pytest.mark.parametrize("made_up", ["x", "W10.aaaa.bbbb", "%00", "../leads"])
def test_a_link_of_somebody_elses_making_opens_nothing(app: Flask, made_up: str, people: object) -> None:
    assert app.test_client().get(f"/welcome/{made_up}").status_code in (404, 410, 303)


@pytest.mark.parametrize(
    ("password", "again", "words"),
    [("too short", None, "needs 10 to"), ("a long enough one", "another one", "not the same twice")],
)
def test_a_password_that_will_not_do_is_asked_for_again(
    app: Flask, password: str, again: str | None, words: str
) -> None:
    client, path = app.test_client(), path_of(link())
    form = {"csrf_token": token(client.get(path)), "password": password, "again": again or password}
    answer = client.post(path, data=form)
    assert answer.status_code == 422
    assert words in answer.text
    assert client.get("/leads").status_code == 303


def test_the_choice_is_checked_for_where_it_comes_from(app: Flask) -> None:
    answer = app.test_client().post(path_of(link()), data={"password": "x" * 12, "again": "x" * 12})
    assert answer.status_code == 400


@pytest.mark.parametrize("password", ["", "123456789", "x" * 1001])
def test_a_password_has_a_shortest_and_a_longest_length(database: db.Database, password: str) -> None:
    user = User(email="x@acme.test", name="X", role=Role.AGENT, session_epoch=0)
    with database.unit_of_work() as session:
        session.add(user)
        with pytest.raises(Invalid, match="needs 10 to 1000"):
            set_password(session, user, password)
        assert user.password_hash is None
