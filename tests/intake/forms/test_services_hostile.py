"""Nothing that comes in a form builder's name breaks its format: it is refused, unreadable or an enquiry."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from core.errors import Ignored, PortariaError, Refused, Unreadable
from crm.submission import Submission
from intake.delivery import Delivery
from intake.forms.body import JSON, MULTIPART, URLENCODED
from intake.forms.service import FormService
from intake.forms.service_form import ServiceForm
from intake.forms.services import BY_NAME, settings_of
from intake.forms.settings import FormSettings

NAMES = (
    *("typeform", "tally", "jotform", "gravity-forms", "contact-form-7", "wpforms", "elementor"),
    "google-forms",
)
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
FORM = FormSettings.model_validate({"key": "site", "mapping": {"$..value": "message"}})
CALM = hypothesis(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def delivery(body: str | bytes, kind: str = JSON) -> Delivery:
    return Delivery(body.encode() if isinstance(body, str) else body, kind, NOW)


def read(name: str, document: Any) -> Submission:
    return ServiceForm(BY_NAME[name]).parse(delivery(json.dumps(document)), FORM)


@pytest.mark.parametrize(
    ("name", "document", "error"),
    [
        ("typeform", {"event_type": "form_response_partial", "form_response": {"answers": []}}, Ignored),
        ("typeform", {"event_type": "form_response"}, Unreadable),
        ("typeform", {"event_type": "form_response", "form_response": []}, Unreadable),
        ("typeform", {"event_type": "form_response", "form_response": {"answers": {}}}, Unreadable),
        ("tally", {"eventType": "FORM_CREATED", "data": {"fields": []}}, Ignored),
        ("tally", {"eventType": "FORM_RESPONSE"}, Unreadable),
        ("tally", {"eventType": "FORM_RESPONSE", "data": {"fields": {"a": 1}}}, Unreadable),
        ("google-forms", {}, Unreadable),
        ("google-forms", {"namedValues": [], "answers": {}, "email": "a@b.example"}, Unreadable),
    ],
)
def test_what_is_no_submission_says_so(name: str, document: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        read(name, document)


@pytest.mark.parametrize("raw", ["", "[]", "nonsense", '{"q1_name": NaN}', "[" * 5000])
def test_jotform_without_its_answers_is_unreadable(raw: str) -> None:
    body = urlencode({"submissionID": "1", "rawRequest": raw})
    with pytest.raises(Unreadable):
        ServiceForm(BY_NAME["jotform"]).parse(delivery(body, URLENCODED), FORM)


MALFORMED = [b"", b"{", b"[]", b'"x"', b"null", b"\xff\xfe\x00", b'{"a": NaN}', b'{"a": 1e999}', b"[" * 9999]


@pytest.mark.parametrize("name", [n for n in NAMES if n != "jotform"])
@pytest.mark.parametrize("body", MALFORMED, ids=range(len(MALFORMED)))
def test_a_body_that_is_no_json_object_is_refused_at_the_door(name: str, body: bytes) -> None:
    service, came = BY_NAME[name], delivery(body)
    with pytest.raises(Refused) as refused:
        service.parts(came, settings_of(service, FORM.services))
    assert refused.value.status == 400


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "now", "\x00"])
def test_a_time_out_of_all_time_is_not_believed(moment: str) -> None:
    found = read(
        "typeform",
        {"event_type": "form_response", "form_response": {"submitted_at": moment, "answers": []}},
    )
    assert found.occurred_at == NOW


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(
        ["FORM_RESPONSE", "form_response", "choice", "2026-11-20", "a@b.example", "CHECKBOXES"]
    ),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(max_size=6)
            | st.sampled_from(
                [
                    *("email", "name", "type", "value", "options", "id", "text", "label", "labels", "choice"),
                    *(
                        "field",
                        "first",
                        "last",
                        "area",
                        "phone",
                        "full",
                        "year",
                        "month",
                        "day",
                        "hour",
                        "min",
                    ),
                    *(
                        "fields[a]",
                        "question",
                        "answer",
                        "form_id",
                        "date_created",
                        "source_url",
                        "url",
                        "rows",
                    ),
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


def _shapes(value: Any) -> Iterator[tuple[str, Any]]:
    """The value wherever a service reads something."""
    for name in NAMES:
        yield name, value
    response = {
        "definition": value,
        "answers": [value],
        "hidden": value,
        "token": value,
        "submitted_at": value,
    }
    yield "typeform", {"event_type": "form_response", "form_response": response}
    typed = {"type": "choice", "choice": value, "field": value}
    hidden = {
        "answers": [typed, {**typed, "choice": {"labels": value, "other": value}}],
        "hidden": {"a": value},
    }
    yield "typeform", {"event_type": "form_response", "form_response": hidden, "event_id": value}
    yield "tally", {"eventType": "FORM_RESPONSE", "data": {"fields": [value], "responseId": value}}
    for kind in ("CHECKBOXES", "MATRIX", "HIDDEN_FIELDS"):
        field = {"key": value, "label": value, "type": kind, "value": value, "options": value, "rows": value}
        single = {"key": "k", "type": kind, "value": value, "options": [{"id": value, "text": value}]}
        rows = {"type": kind, "value": {"r": value}, "rows": [value], "columns": [value]}
        yield "tally", {"eventType": "FORM_RESPONSE", "data": {"fields": [field, single, rows]}}
    yield (
        "google-forms",
        {"namedValues": {"a": value}, "answers": [value], "responseId": value, "email": value},
    )
    yield "google-forms", {"answers": [{"question": value, "answer": value}], "timestamp": value}
    yield (
        "gravity-forms",
        {"id": value, "form_id": value, "date_created": value, "source_url": value, "1": value},
    )
    yield "wpforms", {"entry_id": value, "form_id": value, "wpforms": value, "page_url": value}
    yield "contact-form-7", {"tel-1": value, "acceptance-1": value, "_wpcf7": value}
    yield "elementor", {"fields": {"a": {"value": value, "type": value, "title": value}}, "meta": value}
    yield (
        "elementor",
        {"Page URL": value, "x": "https://a.example", "y": "Mozilla/5.0", "z": value, "form_id": 1},
    )


def _taken(service: FormService[Any], came: Delivery) -> Submission | PortariaError:
    """Through the door and the house; what either of them says in its own words where it says no."""
    own = settings_of(service, FORM.services)
    try:
        for part in service.parts(came, own):
            assert part.key
        found = ServiceForm(service).parse(came, FORM)
    except PortariaError as error:
        return error
    json.dumps([dict(found.fields), dict(found.extra), dict(found.attribution)], allow_nan=False)
    return found


def assert_understood(found: Submission | PortariaError) -> None:
    assert not isinstance(found, Refused) or found.status in (400, 415)


@CALM
@given(value=VALUES)
@example(value={"a": {"b": []}})
@example(value=[[["deep"]], {"id": {}}])
@example(value={"label": {"x": 1}, "labels": [{"y": 2}], "other": []})
def test_no_json_breaks_any_of_them(value: Any) -> None:
    for name, document in _shapes(value):
        assert_understood(_taken(BY_NAME[name], delivery(json.dumps(document))))


@CALM
@given(value=VALUES, key=st.sampled_from(["q1_name", "q2_phone", "q3_date", "slug", "x"]))
@example(value={"area": [], "phone": {}}, key="q2_phone")
@example(value={"country": "+00", "area": 1, "phone": 2.5}, key="q2_phone")
@example(value={"year": None, "month": [1], "day": True}, key="q3_date")
def test_nothing_in_jotforms_answers_breaks_it(value: Any, key: str) -> None:
    body = urlencode({"submissionID": "1", "rawRequest": json.dumps({key: value})})
    assert_understood(_taken(BY_NAME["jotform"], delivery(body, URLENCODED)))


@CALM
@given(
    body=st.binary(max_size=120),
    kind=st.sampled_from([JSON, URLENCODED, f"{MULTIPART}; boundary=x", "", ";"]),
)
def test_no_bytes_break_any_of_them(body: bytes, kind: str) -> None:
    for name in NAMES:
        assert_understood(_taken(BY_NAME[name], delivery(body, kind)))
        assert_understood(_taken(BY_NAME[name], delivery(b"--x\r\n" + body + b"\r\n--x--", kind)))
