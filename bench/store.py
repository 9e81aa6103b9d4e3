"""What the measurements need of a database, whichever it is."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol, TypeVar

from bench.limits import Loop

T = TypeVar("T")


class Store(Protocol):
    """A database made for one measurement, asked from outside, and measured bare."""

    name: str

    def environment(self) -> dict[str, str]:
        """What the service must be told to use it."""

    def fresh(self, folder: Path) -> AbstractContextManager[None]:
        """An empty database, gone with the block; where it is made of files, they are in `folder`."""

    def url(self) -> str:
        """Its address, as SQLAlchemy writes it."""

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Asks it on a connection of the bench's own; `?` stands for each value."""

    def commits(self, seconds: float, rows: int, *, pause: float = 0.0) -> Loop:
        """Bare durable commits of `rows` rows of a form's size, on one connection."""

    def replay(self, tables: dict[str, int]) -> float:
        """Inserts again, bare and beside the real tables, what draining a backlog has inserted.

        For each event one transaction that updates the event, and one that inserts its share of the
        rows of each table (after the number given, which stood there before) and updates it again.
        Returns the seconds it took.
        """


def share(rows: Sequence[T], number: int, events: int) -> Sequence[T]:
    """The rows that fall to one event when they are dealt out evenly in their order."""
    return rows[len(rows) * number // events : len(rows) * (number + 1) // events]
