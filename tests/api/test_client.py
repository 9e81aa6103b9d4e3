"""A client made from our document, with models of its own, does a morning's work and understands each answer."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import cache
from typing import Any

import httpx2
import pytest
from aiopenapi3 import OpenAPI
from aiopenapi3.errors import HTTPClientError, RequestError
from flask.testing import FlaskClient

from api import openapi_document
from tests.api.rights import MATRIX

_asked: list[Any] = []  # the application of the test that runs


@cache
def generated() -> OpenAPI:
    """The client: every operation a function, every answer checked against its schema. Made once, as it takes
    seconds."""

    def session(*given: Any, **named: Any) -> httpx2.Client:
        return httpx2.Client(*given, transport=httpx2.WSGITransport(app=_asked[-1]), **named)

    session.__annotations__["return"] = (
        httpx2.Client
    )  # by which the library tells it from an asynchronous one
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return OpenAPI(
            "http://localhost/api/openapi.json",
            openapi_document(_asked[-1]),
            session_factory=session,
            use_operation_tags=False,
        )


@pytest.fixture
def made(client: FlaskClient, tokens: dict[str, str]) -> Iterator[Any]:
    """The functions of the client, for an administrator."""
    _asked.append(client.application)
    api = generated()
    api.authenticate(token=tokens["admin"])
    yield api._
    _asked.pop()


def test_each_route_is_a_function_of_the_client(made: Any, client: FlaskClient) -> None:
    document = openapi_document(client.application)  # type: ignore[arg-type]
    names = [one["operationId"] for path in document["paths"].values() for one in path.values()]
    assert len(names) == len(set(names)) == len(MATRIX)
    assert all(callable(getattr(made, name)) for name in names)


def test_a_generated_client_does_a_mornings_work(made: Any) -> None:
    lead = made.create_lead(data={"name": "Maria Souza", "email": "maria@sol.test", "company": "Padaria Sol"})
    found = made.list_leads(parameters={"email": "maria@sol.test"})
    assert [one.id for one in found.items] == [lead.id]
    done = made.convert_lead(parameters={"id": lead.id}, data={"into": ["contact", "company", "deal"]})
    assert done.lead.status == "converted"
    assert made.get_contact(parameters={"id": done.contact_id}).name == "Maria Souza"
    assert made.get_company(parameters={"id": done.company_id}).name == "Padaria Sol"
    moved = made.change_deal(parameters={"id": done.deal_id}, data={"amount": "12500.00"})
    assert float(moved.amount) == 12500
    other = made.create_contact(data={"name": "M. Souza", "emails": ["m@other.test"]})
    merge = made.merge_contact(
        parameters={"id": done.contact_id}, data={"other": other.id, "choose": {"name": "other"}}
    )
    assert (merge.survivor_id, made.get_contact(parameters={"id": other.id}).name) == (
        done.contact_id,
        "M. Souza",
    )
    assert made.undo_merge(parameters={"id": merge.id}).undone_by == "token:admin"
    entries = made.get_contact_timeline(parameters={"id": done.contact_id, "kind": "merged"}).items
    assert [entry.actor for entry in entries] == ["token:admin"]
    gone = {"method": "DELETE", "path": f"/contacts/{other.id}"}
    assert [one.status for one in made.do_many(data={"operations": [gone]}).items] == [204]
    made.save_segment(parameters={"key": "big"}, data={"kind": "deal", "condition": "deal.amount > 10000.0"})
    assert [one.id for one in made.list_members(parameters={"key": "big"}).items] == [done.deal_id]


def test_a_refusal_is_understood_by_the_client(made: Any) -> None:
    with pytest.raises((HTTPClientError, RequestError)) as refused:
        made.get_lead(parameters={"id": 999})
    assert "404" in repr(refused.value) or getattr(refused.value, "http_status", 404) == 404
