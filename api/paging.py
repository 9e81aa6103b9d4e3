"""Lists in pages, newest first. A cursor says where the next page begins, and cannot be made up.

The place is the id of the last item seen, so what arrives meanwhile neither shifts nor repeats anything.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, Field
from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute, Session

from api.parameters import PageQuery
from core.errors import Invalid
from core.secrets import derived_key
from models.base import Base

R = TypeVar("R")
B = TypeVar("B", bound=Base)
I = TypeVar("I", bound=BaseModel)  # noqa: E741

_MAC_BYTES = 12


class Page(BaseModel, Generic[I]):
    """Some items of a list."""

    items: list[I]
    next_cursor: str | None = Field(description="For `cursor`, to go on; null at the end")

    @classmethod
    def model_parametrized_name(cls, params: tuple[type[Any], ...]) -> str:  # type: ignore[override]
        """The name in the OpenAPI document."""
        return f"{params[0].__name__}Page"


def page(
    session: Session, chosen: Select[R], key: InstrumentedAttribute[Any], asked: PageQuery, *, of: str
) -> tuple[list[R], str | None]:
    """The rows after the cursor, newest first, and the cursor of the next page; None at the end.

    `key` is the rows' id, `of` names the list the cursor belongs to. Raises Invalid for a cursor
    that is not of this list.
    """
    if asked.cursor is not None:
        chosen = chosen.where(key < place_of_cursor(asked.cursor, of))
    rows = list(session.scalars(chosen.order_by(key.desc()).limit(asked.limit + 1)))
    if len(rows) <= asked.limit:
        return rows, None
    rows.pop()
    return rows, cursor_of(str(getattr(rows[-1], key.key)), of)


def page_by(
    look: Callable[[int | None, int], Sequence[B]], asked: PageQuery, *, of: str
) -> tuple[list[B], str | None]:
    """The same where the rows are found by a look of its own: given the id before which they must be, and
    how many, newest first."""
    place = place_of_cursor(asked.cursor, of) if asked.cursor is not None else None
    rows = list(look(int(place) if place is not None else None, asked.limit + 1))
    if len(rows) <= asked.limit:
        return rows, None
    rows.pop()
    return rows, cursor_of(str(getattr(rows[-1], "id")), of)  # noqa: B009  a column of whatever the rows are


def cursor_of(place: str, of: str) -> str:
    """The cursor that says where the next page of this list begins."""
    mac = hmac.digest(derived_key("cursor"), f"{of}\0{place}".encode(), "sha256")[:_MAC_BYTES]
    return base64.urlsafe_b64encode(mac + place.encode()).rstrip(b"=").decode()


def place_of_cursor(cursor: str, of: str) -> int | str:
    """Where a cursor says that a page begins. Raises Invalid for one that is not of this list."""
    try:
        raw = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        place = raw[_MAC_BYTES:].decode("ascii")
    except (UnicodeError, binascii.Error):
        place = ""
    if not place or not hmac.compare_digest(cursor_of(place, of).encode(), cursor.encode()):
        raise Invalid("some values are not acceptable", {"cursor": "is none of this list"})
    return int(place) if place.isdigit() else place
