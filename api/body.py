"""What may stand in a body: JSON of bounded size, and text that every database can keep."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from flask import Request
from pydantic import AfterValidator, BaseModel, Field, WithJsonSchema
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from core.errors import Invalid
from core.settings import MIB
from intake.text import clean

F = TypeVar("F", bound=Callable[..., Any])

LARGEST_BODY = MIB
_LONGEST_VALUE = 10_000
_MOST_CHOICES = 200
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_BREAK = re.compile(r"[\t\n\r]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def takes_file(most: int) -> Callable[[F], F]:
    """Lets a route take a file of so many bytes, beside what belongs to it."""

    def mark(view: F) -> F:
        view.__dict__["largest"] = most + LARGEST_BODY
        return view

    return mark


def check_body(request: Request, view: Callable[..., Any]) -> None:
    """Reads the body of a route that takes one.

    Raises BadRequest for what is no JSON, UnsupportedMediaType, RequestEntityTooLarge, and Invalid
    for JSON that is no object.
    """
    request.max_content_length = getattr(view, "largest", LARGEST_BODY)
    if "form" in view.__annotations__ and request.mimetype != "multipart/form-data":
        raise UnsupportedMediaType("send the file as multipart/form-data")
    if "form" in view.__annotations__:
        _check_form(request)
    if "body" not in view.__annotations__:
        return
    try:
        sent = request.get_json()
    except RecursionError:
        raise BadRequest from None
    if not isinstance(sent, dict):
        raise Invalid("the body must be a JSON object")


def _check_form(request: Request) -> None:
    # What of a form is JSON is read by flask_openapi3, which does not expect it to be without end.
    for value in request.form.values():
        try:
            json.loads(value)
        except ValueError:
            continue
        except RecursionError:
            raise BadRequest from None


def _text(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("has control characters in it")
    return clean(text).strip()


def _line(text: str) -> str:
    if _BREAK.search(text.strip()):
        raise ValueError("must be on one line")
    return _text(text)


def _value(value: object) -> object:
    """A custom field's value: text, number, yes or no, nothing, or a list of these."""
    if isinstance(value, list):
        if len(value) > _MOST_CHOICES or any(isinstance(v, list) for v in value):
            raise ValueError(f"must be a list of at most {_MOST_CHOICES} plain values")
        return [_value(v) for v in value]
    if isinstance(value, str):
        if len(value) > _LONGEST_VALUE:
            raise ValueError(f"is longer than {_LONGEST_VALUE} characters")
        if _SURROGATE.search(value):
            raise ValueError("is no valid Unicode")
        return _text(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise ValueError("must be text, a number of 64 bits, true, false, null, or a list of these")


Line = Annotated[str, Field(max_length=200), AfterValidator(_line)]
Text = Annotated[str, Field(max_length=200_000), AfterValidator(_text)]
Name = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_line)]
SectionPath = Annotated[str, Field(max_length=700), AfterValidator(_line)]
FieldValue = Annotated[
    Any,
    AfterValidator(_value),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "maxLength": _LONGEST_VALUE},
                {"type": "number"},
                {"type": "boolean"},
                {"type": "null"},
                {"type": "array", "items": {}, "maxItems": _MOST_CHOICES},
            ]
        }
    ),
]


class IdempotencyHeader(BaseModel):
    """The header that makes a POST safe to send again."""

    key: str | None = Field(
        None,
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,190}$",
        description="The same key with the same body gives the same answer and is carried out once",
    )
