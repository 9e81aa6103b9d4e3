"""What may stand in an address: typed, bounded, and nothing unknown."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict
from werkzeug.routing import BaseConverter
from werkzeug.routing import ValidationError as NoMatch

from core.errors import Invalid
from crm import workspace
from crm.contact_points import email_address, email_point, phone_number

_LARGEST_ID = 2**63 - 1
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?([Zz]|[+-]\d{2}:?\d{2})")


class RowConverter(BaseConverter):
    """An id that counts up: what can be none is an address that does not exist."""

    regex = r"[1-9][0-9]{0,18}"

    def to_python(self, value: str) -> int:
        """The id, where the database can have it."""
        if int(value) > _LARGEST_ID:
            raise NoMatch
        return int(value)


def _one_line(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("has control characters in it")
    return text


def _address(text: str) -> str:
    found = email_address(text)
    if found is None:
        raise ValueError("is no e-mail address")
    return email_point(found)[1]


def _instant(text: object) -> datetime:
    # A plus sign that was not escaped arrives as a space.
    written = re.sub(r" (?=\d{2}:?\d{2}$)", "+", str(text))
    if not _INSTANT.fullmatch(written):
        raise ValueError("is no moment with a time zone, such as 2026-01-31T09:00:00Z")
    try:
        return datetime.fromisoformat(written).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("is no moment that the calendar knows") from None


Line = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_one_line)]
Email = Annotated[str, Field(max_length=320), AfterValidator(_one_line), AfterValidator(_address)]
Instant = Annotated[
    datetime, BeforeValidator(_instant), WithJsonSchema({"type": "string", "format": "date-time"})
]
RowId = Annotated[int, Field(ge=1, le=_LARGEST_ID)]


class RowPath(BaseModel):
    """The id in an address."""

    id: RowId


class EventPath(BaseModel):
    """The id of an inbound event in an address."""

    id: UUID


class Query(BaseModel):
    """The parameters of a route; an unknown one is refused."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _whole(cls, given: Any) -> Any:
        """Which parts are answered (see api.sparse) is not the route's matter."""
        return {k: v for k, v in given.items() if k != "fields"} if isinstance(given, dict) else given

    @classmethod
    @cache
    def model_json_schema(cls, *given: Any, **named: Any) -> dict[str, Any]:  # type: ignore[override]
        """Pydantic's own, made once: flask_openapi3 asks for it on every request."""
        return super().model_json_schema(*given, **named)


class PageQuery(Query):
    """The parameters of every list."""

    limit: int = Field(50, ge=1, le=200, description="Most items in one answer")
    cursor: str | None = Field(None, max_length=200, description="`next_cursor` of the answer before")


def email_of(written: Sequence[str], *, field: str) -> list[str]:
    """E-mail addresses with their domain in its normal form. Raises Invalid, naming `field`."""
    found = [email_address(raw) for raw in written]
    if None in found:
        raise Invalid("some values are not acceptable", {field: "is no e-mail address"})
    return [address for address in found if address is not None]


def check_parameters(given: MultiDict[str, str], view: Callable[..., Any]) -> None:
    """Raises Invalid for a parameter given twice, and for any where the route takes none."""
    wrong = {name: "is given more than once" for name, values in given.lists() if len(values) > 1}
    if "query" not in view.__annotations__:
        wrong |= dict.fromkeys((name for name in given if name != "fields"), "is not known here")
    if wrong:
        raise Invalid("some values are not acceptable", wrong)


def e164(session: Session, written: str, *, field: str = "phone") -> str:
    """A telephone number as the workspace's country dials it, in E.164.

    Raises Invalid for what is none, naming `field`.
    """
    if written.startswith(" "):  # a plus sign that was not escaped
        written = "+" + written.lstrip()
    found = phone_number(written, workspace.load(session).country)
    if found is None:
        raise Invalid("some values are not acceptable", {field: "is no telephone number"})
    return found
