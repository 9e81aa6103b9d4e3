"""Versions of elements: entity tags, what was changed meanwhile, and where a merged one is answered from."""

from __future__ import annotations

from typing import Any, Protocol

from flask import Response, request

from core.errors import Stale
from core.ids import digest
from core.settings import settings
from crm.element import Element

_PLURALS = {"lead": "leads", "contact": "contacts", "company": "companies", "deal": "deals"}


class Versioned(Protocol):
    """A row that says when it was changed."""

    __tablename__: str

    @property
    def id(self) -> Any: ...

    @property
    def updated_at(self) -> Any: ...


def version(element: Versioned) -> str:
    """The element's entity tag (RFC 9110, 8.8.3)."""
    changed = element.updated_at.isoformat() if element.updated_at is not None else ""
    return f'"{digest(element.__tablename__, str(element.id), changed)[:24]}"'


def unchanged(element: Versioned, wanted: str | None = None) -> None:
    """Raises Stale where `If-Match`, or `wanted`, names another version than the present one."""
    wanted = wanted or request.headers.get("If-Match")
    if wanted is None or wanted.strip() == "*":
        return
    if version(element) not in [part.strip() for part in wanted.split(",")]:
        raise Stale("it was changed meanwhile; read it again")


def with_version(answer: Response, element: Versioned) -> Response:
    """The answer, with the version of what it tells."""
    answer.headers["ETag"] = version(element)
    return answer


def with_place(answer: Response, element: Element, asked: int) -> Response:
    """The answer, which says its own address where another was asked for that is part of it now."""
    if element.id != asked:
        where = _PLURALS[element.__tablename__]
        answer.headers["Content-Location"] = f"{settings().address}/api/v1/{where}/{element.id}"
    return answer
