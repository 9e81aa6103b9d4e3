"""Imports on the page: looked at, corrected, started, taken back; only by who may."""

from __future__ import annotations

import io

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from core import clock, db
from models.import_job import ImportJob
from models.lead import Lead
from models.product import Product
from models.user import Role, User
from tests.console.conftest import token
from worker import imports

FILE = b"Name,Mail,Mobile no.\n<b>Ana</b>,ana@new.test,+5511987654321\nBia,bia@new.test,x\n"


@pytest.fixture
def manager(ana: FlaskClient, database: db.Database) -> FlaskClient:
    with database.unit_of_work() as session:
        session.scalars(select(User).where(User.email == "ana@acme.test")).one().role = Role.MANAGER
    return ana


def work() -> None:
    for _ in range(5):
        imports.advance(1)


def test_a_file_is_looked_at_corrected_and_brought_in(manager: FlaskClient, database: db.Database) -> None:
    page = manager.get("/imports")
    told = {"csrf_token": token(page), "duplicates": "skip", "tags": "fair"}
    answer = manager.post("/imports", data={**told, "file": (io.BytesIO(FILE), "fair.csv")})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/imports/1")
    page = manager.get("/imports/1")
    assert "&lt;b&gt;Ana" in page.text
    assert "is no telephone number" in page.text
    choice = {"csrf_token": token(page), "column-3": "fields.mobile", "duplicates": "add"}
    assert manager.post("/imports/1/start", data={**choice, "look": "yes"}).status_code == 303
    assert "is no telephone number" not in manager.get("/imports/1").text
    assert manager.post("/imports/1/start", data={**choice, "column-3": "king"}).status_code == 422
    assert manager.post("/imports/1/start", data=choice).status_code == 303
    assert 'http-equiv="refresh"' in manager.get("/imports/1").text
    work()
    with database.reading() as session:
        ana = session.scalars(select(Lead).where(Lead.email == "ana@new.test")).one()
    assert (ana.fields, ana.tags) == ({"mobile": "+5511987654321"}, ["fair"])
    page = manager.get("/imports/1").text
    assert "2 of 2" in page
    assert 'http-equiv="refresh"' not in page
    assert "fair.csv" in manager.get("/imports").text
    assert manager.get("/imports/1/errors").text == "row,reason,Name,Mail,Mobile no.\r\n"
    with clock.frozen(clock.now()):
        assert manager.post("/imports/1/undo", data={"csrf_token": choice["csrf_token"]}).status_code == 303
    work()
    assert "Removed</dt><dd>2" in manager.get("/imports/1").text
    again = manager.post("/imports/1/undo", data={"csrf_token": choice["csrf_token"]})
    assert (again.status_code, "the import is undone" in again.text) == (422, True)


def test_what_cannot_be_read_is_said_on_the_page(manager: FlaskClient, database: db.Database) -> None:
    told = {"csrf_token": token(manager.get("/imports"))}
    for content, words in (
        (b"", "the file is empty"),
        (b"\0", "the file is empty"),
        (b"name,mail\n\0b", "NUL bytes"),
    ):
        answer = manager.post("/imports", data={**told, "file": (io.BytesIO(content), "x.csv")})
        assert (answer.status_code, words in answer.text) == (422, True)
    assert manager.post("/imports", data=told).status_code == 422
    with database.reading() as session:
        assert session.scalars(select(ImportJob)).all() == []


def test_agents_bring_nothing_in(ana: FlaskClient) -> None:
    page = ana.get("/imports")
    assert "Bring in a file" not in page.text
    told = {"csrf_token": token(page), "file": (io.BytesIO(FILE), "x.csv")}
    assert ana.post("/imports", data=told).status_code == 403


def test_a_file_of_products_is_looked_at_and_brought_in(manager: FlaskClient, database: db.Database) -> None:
    told = {"csrf_token": token(manager.get("/imports")), "what": "product", "duplicates": "skip"}
    file = (io.BytesIO(b"SKU,Product,Price\nOV,<b>Oven</b>,10\nTR,Tray,much\n"), "products.csv")
    assert manager.post("/imports", data={**told, "file": file}).status_code == 303
    page = manager.get("/imports/1").text
    assert "&lt;b&gt;Oven" in page
    assert "is no number" in page
    assert '<option value="sku">' in page
    assert manager.post("/imports/1/start", data={**told, "column-1": "phone"}).status_code == 422
    assert manager.post("/imports/1/start", data=told).status_code == 303
    work()
    with database.reading() as session:
        assert session.scalars(select(Product.sku)).all() == ["OV"]
    again = {**told, "what": "planet", "file": (io.BytesIO(b"name\nx\n"), "x.csv")}
    assert manager.post("/imports", data=again).status_code == 422
