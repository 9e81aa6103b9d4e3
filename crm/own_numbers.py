"""The company's own telephone numbers: whoever calls from one of them is no customer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.contact_points import phone_number
from models.source import Channel, Source
from models.user import User


@dataclass(frozen=True, slots=True)
class OwnNumbers:
    """In E.164: those of lines, what they are forwarded to and fall back to, and the colleagues' own."""

    lines: frozenset[str] = frozenset()
    people: frozenset[str] = frozenset()


def own_numbers(session: Session, country: str) -> OwnNumbers:
    """All of them, whichever line is called; a line's own country, else `country`, says how they are read."""
    lines = session.scalars(select(Source.settings).where(Source.channel == Channel.CALL))
    people = session.scalars(select(User.phone).where(User.phone.is_not(None), User.active))
    return OwnNumbers(
        frozenset(number for settings in lines for number in _of(settings, country)),
        frozenset(number for number in people if number),
    )


def lines_with(session: Session, number: str, country: str) -> dict[int, str]:
    """The lines in use that have this number, in E.164, as one of theirs: keys by id."""
    chosen = select(Source.id, Source.key, Source.settings)
    lines = session.execute(chosen.where(Source.channel == Channel.CALL, Source.active))
    return {
        line.id: line.key
        for line in lines
        if any(
            phone_number(str(value), line.settings.get("country") or country) == number
            for value in line.settings.get("numbers") or ()
        )
    }


def _of(settings: dict[str, Any], country: str) -> Iterator[str]:
    said = [*(settings.get("numbers") or ()), *(settings.get("forwarding") or ())]
    said.append((settings.get("connect") or {}).get("fallback") or "")
    for value in said:
        number = phone_number(str(value), settings.get("country") or country)
        if number is not None:
            yield number
