"""The API against its own document: whatever is made after it is answered, and never with a failure of ours."""

from __future__ import annotations

from typing import Any

import schemathesis
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given, settings

from api import openapi_document
from tests.api.conftest import Ask

_BUDGET = settings(
    max_examples=5,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def test_no_operation_breaks_on_what_is_sent(client: FlaskClient, ask: Ask) -> None:
    schema = schemathesis.openapi.from_dict(openapi_document(client.application))  # type: ignore[arg-type]
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 30
    for operation in operations:
        _tried(ask, operation)


def _tried(ask: Ask, operation: Any) -> None:
    @_BUDGET
    @given(case=operation.as_strategy())
    def once(case: Any) -> None:
        sent = case.as_transport_kwargs(base_url="http://localhost")
        path = sent["url"].removeprefix("http://localhost").removeprefix("/api/v1")
        body = {name: sent[name] for name in ("json", "data") if sent.get(name) is not None}
        answer = ask(case.method, path, query_string=sent.get("params") or {}, **body)
        assert answer.status_code < 500, (case.method, path, answer.text)

    once()
