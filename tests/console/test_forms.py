"""Forms are declared in the console too, by who may; a mistake changes nothing and is said."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from core import db
from models.source import Channel, Source
from models.user import Role, User
from tests.console.conftest import token
from tests.factories import configure
from workspace import forms


@pytest.fixture
def manager(ana: FlaskClient, database: db.Database) -> FlaskClient:
    with database.unit_of_work() as session:
        session.scalars(select(User).where(User.email == "ana@acme.test")).one().role = Role.MANAGER
    return ana


def declared(database: db.Database) -> dict[str, object]:
    with database.reading() as session:
        return {f["key"]: f for f in forms.forms(session)}


def save(client: FlaskClient, address: str, text: str) -> tuple[int, str]:
    page = client.get(address)
    answer = client.post(address, data={"csrf_token": token(page), "text": text})
    return answer.status_code, answer.text


def test_a_form_is_made_changed_and_taken_out_of_use(manager: FlaskClient, database: db.Database) -> None:
    before = set(declared(database))
    assert "key: contact" in manager.get("/new-form").text
    assert save(manager, "/new-form", "key: quote\nfields:\n  - {name: size, required: true}\n")[0] == 303
    assert set(declared(database)) == before | {"quote"}
    assert "size" in manager.get("/forms/quote").text

    assert save(manager, "/forms/quote", "key: quote\ntitle: <b>Ask us</b>\n")[0] == 303
    assert declared(database)["quote"] == {"key": "quote", "title": "<b>Ask us</b>"}
    assert "&lt;b&gt;Ask us" in manager.get("/forms/quote").text

    page = manager.get("/forms")
    assert manager.post("/forms/quote/withdraw", data={"csrf_token": token(page)}).status_code == 303
    assert set(declared(database)) == before
    with database.reading() as session:
        assert session.scalars(select(Source).where(Source.key == "quote")).one().active is False


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "it needs a key"),
        ("fields: []", "it needs a key"),
        ("key: FIRST", "already"),
        ("key: [x", "line:1"),
        ("- key: x", "is a mapping"),
        ("key: x\nfields: [{name: a, type: rocket}]", "<li>fields[1].type: Input should be"),
        ("key: x\nno_such: 1", "no_such"),
        ("key: No Spaces", "key"),
        ("key: x\nlabel: !!python/object:os.system x", "line"),
    ],
)
def test_a_mistake_is_said_and_changes_nothing(
    manager: FlaskClient, database: db.Database, text: str, words: str
) -> None:
    before = declared(database)
    status, page = save(manager, "/new-form", text.replace("FIRST", next(iter(before))))
    assert status == 422
    assert words in page
    assert "This was not saved" in page
    assert declared(database) == before


def test_a_key_stays_and_a_secret_is_not_shown(manager: FlaskClient, database: db.Database) -> None:
    secret = "a long and quiet secret"
    text = f"key: signed\nservices: {{typeform: {{secret: {secret}}}}}\n"
    assert save(manager, "/new-form", text)[0] == 303
    page = manager.get("/forms/signed").text
    assert secret not in page
    assert "sealed" in page
    assert save(manager, "/forms/signed", "key: other")[0] == 422
    assert "other" not in declared(database)


def test_nobody_reads_the_machine_s_secrets_or_a_sealed_one_by_a_form(
    manager: FlaskClient, database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_TOKEN", "the machine's own secret")
    monkeypatch.setenv("TYPEFORM_SECRET", "a long and quiet secret")
    signed = "key: signed\nservices: {typeform: {secret: '${TYPEFORM_SECRET}'}}\n"
    configure("forms: [{" + signed.replace("\n", ", ")[:-2] + "}]")
    before = declared(database)
    for text in (
        "key: x\ntitle: '${SOME_TOKEN}'",
        "key: x\nfields: [{name: '${SOME_TOKEN}', type: rocket}]",
        "key: x\n'${SOME_TOKEN}': 1",
        "key: x\ntitle: '${TYPEFORM_SECRET}'",
        "key: x\nservices: {typeform: {secret: '${SOME_TOKEN}'}}",
    ):
        status, page = save(manager, "/new-form", text)
        assert (status, "is no value that the workspace has" in page, "own secret" in page) == (
            422,
            True,
            False,
        )
    assert declared(database) == before
    assert save(manager, "/forms/signed", signed + "title: Ask us\n")[0] == 303
    plain = "key: sealed\nservices: {typeform: {secret: another quiet secret}}\n"
    assert save(manager, "/new-form", plain)[0] == 303
    sealed = declared(database)["sealed"]["services"]["typeform"]["secret"]  # type: ignore[index]
    status, page = save(manager, "/forms/sealed", f"key: sealed\ntitle: '{sealed}'\n")
    assert (status, "a sealed value" in page) == (422, True)


def test_agents_look_and_do_not_declare(ana: FlaskClient, database: db.Database) -> None:
    page = ana.get("/forms")
    assert "New form" not in page.text
    assert "Take out of use" not in page.text
    assert ana.get("/new-form").status_code == 403
    assert ana.get("/forms/open").status_code == 403
    for address in ("/new-form", "/forms/open", "/forms/open/withdraw"):
        answer = ana.post(address, data={"csrf_token": token(page), "text": "key: mine"})
        assert answer.status_code == 403
    with database.reading() as session:
        keys = session.scalars(select(Source.key).where(Source.channel == Channel.FORM, Source.active)).all()
    assert "mine" not in keys


def test_a_form_that_is_not_there_is_said_so(manager: FlaskClient) -> None:
    assert manager.get("/forms/nothing").status_code == 404
    page = manager.get("/forms")
    assert manager.post("/forms/nothing/withdraw", data={"csrf_token": token(page)}).status_code == 404
