"""Who comes in, how, and for how long."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Literal

import pytest
from argon2 import PasswordHasher
from flask.testing import FlaskClient

from console import auth
from core import clock, db
from models.user import User
from tests.console import seed
from tests.console.conftest import SignIn, token


def test_a_stranger_is_sent_to_the_sign_in_page_and_then_to_where_they_wanted(
    stranger: FlaskClient, sign_in: SignIn
) -> None:
    answer = stranger.get("/leads?status=new")
    assert answer.status_code == 303
    assert answer.location == "/sign-in?next=/leads?status%3Dnew"
    assert 'name="next" value="/leads?status=new"' in stranger.get(answer.location).text
    answer = sign_in(stranger, next="/leads?status=new")
    assert (answer.status_code, answer.location) == (303, "/leads?status=new")
    assert stranger.get("/").location == "/leads"
    assert stranger.get("/sign-in").location == "/leads"
    assert "Ana Lima" in stranger.get("/leads").text


def test_the_address_may_be_typed_in_capitals(stranger: FlaskClient, sign_in: SignIn) -> None:
    assert sign_in(stranger, email=" ANA@Acme.test ").status_code == 303


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("ana@acme.test", "wrong"),
        ("nobody@acme.test", seed.PASSWORD),
        ("", ""),
        ("ana@acme.test", "x" * 5000),
    ],
)
def test_what_does_not_fit_is_refused_without_saying_what(
    stranger: FlaskClient, sign_in: SignIn, email: str, password: str
) -> None:
    answer = sign_in(stranger, email=email, password=password)
    assert answer.status_code == 422
    assert "E-mail and password do not fit" in answer.text
    assert stranger.get("/leads").status_code == 303


def test_who_has_left_or_never_had_a_password_stays_outside(stranger: FlaskClient, sign_in: SignIn) -> None:
    with db.unit_of_work() as session:
        ana, bruno = session.get_one(User, 1), session.get_one(User, 2)
        ana.active, bruno.password_hash = False, None
    assert sign_in(stranger).status_code == 422
    assert sign_in(stranger, email="bruno@acme.test").status_code == 422


def test_accents_may_be_typed_on_any_keyboard(database: db.Database) -> None:
    user = User(email="x@acme.test", name="X", role="agent", active=True, session_epoch=0)
    with database.unit_of_work() as session:
        session.add(user)
        auth.set_password(session, user, "pe\u0301 de jacaranda\u0301")
    assert auth.is_password(user, "pé de jacarandá")
    assert not auth.is_password(user, "pe de jacaranda")


def test_an_unknown_user_takes_as_much_work_as_a_known_one(
    stranger: FlaskClient, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[str] = []
    real = auth._hasher

    class Counting(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002
            verified.append(str(hash).split("$")[3])
            return real.verify(hash, password)

    sign_in(stranger, email="nobody@acme.test", password="wrong")
    monkeypatch.setattr(auth, "_hasher", Counting())
    sign_in(stranger, password="wrong")
    sign_in(stranger, email="nobody@acme.test", password="wrong")
    assert len(verified) == 2
    assert verified[0] == verified[1]


def test_a_crowd_at_the_sign_in_page_is_held_back(
    stranger: FlaskClient, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "_hashing", threading.BoundedSemaphore(1))
    monkeypatch.setattr(auth, "_PATIENCE", 0.01)
    with auth._one_of_few():
        assert sign_in(stranger).status_code == 503
    assert sign_in(stranger).status_code == 303


def test_the_eleventh_try_in_ten_minutes_has_to_wait(stranger: FlaskClient, sign_in: SignIn) -> None:
    for _ in range(10):
        assert sign_in(stranger, password="wrong").status_code == 422
    answer = sign_in(stranger)
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "600"
    assert "10 minutes" in answer.text
    assert sign_in(stranger.application.test_client(), email="bruno@acme.test").status_code == 303
    with clock.frozen(seed.NOW + timedelta(minutes=10)):
        assert sign_in(stranger).status_code == 303


def test_a_good_sign_in_starts_the_count_anew(stranger: FlaskClient, sign_in: SignIn) -> None:
    for _ in range(2):
        for _ in range(9):
            assert sign_in(stranger.application.test_client(), password="wrong").status_code == 422
        assert sign_in(stranger.application.test_client()).status_code == 303


def test_what_a_browser_carried_before_is_gone_after_the_sign_in(
    stranger: FlaskClient, sign_in: SignIn
) -> None:
    stranger.get("/sign-in")
    with stranger.session_transaction() as planted:
        planted["planted"] = "by somebody else"
        before = planted["csrf_token"]
    sign_in(stranger)
    with stranger.session_transaction() as after:
        assert "planted" not in after
        assert after.get("csrf_token") != before
        assert set(after) == {"user", "epoch", "since"}


def test_a_form_without_the_pages_token_changes_nothing(
    stranger: FlaskClient, ana: FlaskClient, sign_in: SignIn
) -> None:
    fresh = ana.application.test_client()
    form = {"email": "ana@acme.test", "password": seed.PASSWORD}
    assert fresh.post("/sign-in", data=form).status_code == 400
    other = token(ana.application.test_client().get("/sign-in"))
    answer = ana.post("/sign-out", data={"csrf_token": other})
    assert answer.status_code == 400
    assert "out of date" in answer.text
    assert ana.get("/leads").status_code == 200


def test_signing_out_ends_it(ana: FlaskClient) -> None:
    answer = ana.post("/sign-out", data={"csrf_token": token(ana.get("/leads"))})
    assert (answer.status_code, answer.location) == (303, "/sign-in")
    assert ana.get("/leads").status_code == 303
    assert ana.get("/sign-out").status_code == 405


def test_a_stranger_who_posts_is_told_to_sign_in(stranger: FlaskClient, people: dict[str, int]) -> None:
    answer = stranger.post("/sign-out", data={"csrf_token": token(stranger.get("/sign-in"))})
    assert answer.status_code == 403


def test_a_sign_in_lasts_twelve_hours_and_no_longer(ana: FlaskClient) -> None:
    with clock.frozen(seed.NOW + timedelta(hours=12)):
        assert ana.get("/leads").status_code == 200
    with clock.frozen(seed.NOW + timedelta(hours=12, seconds=1)):
        assert ana.get("/leads").status_code == 303


def test_a_new_password_ends_older_sign_ins(ana: FlaskClient, sign_in: SignIn) -> None:
    with db.unit_of_work() as session:
        auth.set_password(session, session.get_one(User, 1), "another good password")
    assert ana.get("/leads").status_code == 303
    assert sign_in(ana).status_code == 422
    assert sign_in(ana, password="another good password").status_code == 303


def test_who_is_made_inactive_is_out_at_once(ana: FlaskClient) -> None:
    with db.unit_of_work() as session:
        session.get_one(User, 1).active = False
    assert ana.get("/leads").status_code == 303


def test_a_forged_or_older_cookie_is_no_sign_in(ana: FlaskClient) -> None:
    with ana.session_transaction() as cookie:
        cookie["user"] = "1"
    assert ana.get("/leads").status_code == 303
    ana.set_cookie("portaria_session", "eyJ1c2VyIjoxfQ.aaaa.bbbb")
    assert ana.get("/leads").status_code == 303


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.test/",
        "//evil.test/",
        "/\\evil.test",
        "\\\\evil.test",
        "/\t/evil.test",
        "javascript:alert(1)",
        "evil.test",
        "/" + "x" * 600,
    ],
)
def test_nobody_is_sent_to_another_site(stranger: FlaskClient, sign_in: SignIn, wanted: str) -> None:
    page = stranger.get("/sign-in", query_string={"next": wanted})
    assert 'name="next"' not in page.text
    assert sign_in(stranger, next=wanted).location == "/leads"
    assert stranger.get("/sign-in", query_string={"next": wanted}).location == "/leads"
