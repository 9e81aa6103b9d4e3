"""What goes wrong has a page, and tells nothing."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest
from flask import Flask
from flask.testing import FlaskClient

import console
from console import problems, queries
from core import db
from core.errors import Conflict, Invalid, NotAllowed, PortariaError, Unavailable
from core.secrets import derived_key


def test_what_is_not_there_and_what_is_not_done_has_a_page(ana: FlaskClient) -> None:
    for path in ("/leads/99", "/nowhere", "/leads/abc", f"/leads/{2**64}"):
        answer = ana.get(path)
        assert answer.status_code == 404
        assert "There is nothing here" in answer.text
    answer = ana.post("/leads")
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]


def test_programs_get_their_own_answer_where_no_route_fits(app: Flask, people: object) -> None:
    answer = app.test_client().get("/api/v1/nowhere")
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
    other = Flask("other")
    other.config["SECRET_KEY"] = derived_key("sessions")
    console.mount(other, programs=lambda error: ("said by the API", error.code or 0))
    assert other.test_client().get("/api/v1/nowhere").text == "said by the API"


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (NotAllowed("Not for agents."), 403, "Not for agents."),
        (Conflict("It was changed."), 409, "It was changed."),
        (Invalid("No such day."), 422, "No such day."),
        (Unavailable("host=db password=x"), 503, "Nothing is lost"),
    ],
)
def test_a_failure_with_a_name_has_its_page(
    app: Flask,
    ana: FlaskClient,
    monkeypatch: pytest.MonkeyPatch,
    error: PortariaError,
    status: int,
    words: str,
) -> None:
    def fail() -> str:
        raise error

    monkeypatch.setitem(app.view_functions, "console.leads", fail)
    answer = ana.get("/leads")
    assert answer.status_code == status
    assert words in answer.text
    assert "password=x" not in answer.text


def test_a_mistake_of_ours_shows_an_id_that_is_in_the_log(
    ana: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise RuntimeError("secret detail")

    log = Mock()
    monkeypatch.setattr(problems, "log", log)
    monkeypatch.setattr(queries, "owners", fail)
    answer = ana.get("/leads")
    assert answer.status_code == 500
    assert "secret detail" not in answer.text
    error_id = answer.text.split('<code class="block">')[1].split("<")[0]
    assert log.error.call_args.kwargs["error_id"] == error_id
    assert str(log.error.call_args.kwargs["exc_info"]) == "secret detail"


def test_the_database_being_away_is_said_kindly(
    stranger: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> Any:
        raise Unavailable("the database does not answer")

    monkeypatch.setattr(db, "reading", away)
    answer = stranger.get("/sign-in")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"


def test_a_body_larger_than_any_form_of_ours_is_refused(ana: FlaskClient) -> None:
    assert ana.post("/sign-out", data={"csrf_token": "x" * 100_000}).status_code == 413


def test_views_of_other_parts_are_not_asked_for_a_csrf_token(people: object) -> None:
    app = Flask("other")
    app.config["SECRET_KEY"] = derived_key("sessions")
    console.mount(app)
    app.add_url_rule("/in/forms/contact", "door", lambda: "taken", methods=["POST"])
    assert app.test_client().post("/in/forms/contact", data={"name": "x"}).text == "taken"
