"""The sources as this process knows them: read once, and again when the workspace's version moved.

The door asks for its source on every request, so the version is looked at no more than twice a
second: a change is in force `FRESH` after it was committed.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from sqlalchemy import select

from core import clock, db, secrets
from core.errors import Invalid, Unavailable
from crm.workspace import WorkspaceSettings
from models.source import Channel, Source
from models.workspace import WorkspaceRow

M = TypeVar("M", bound=BaseModel)

#: Seconds after which a change is seen by every process.
FRESH = 0.5


@dataclass(frozen=True, eq=False)
class LoadedSource:
    """A source with its settings opened; `problem` says why they could not be."""

    id: int
    channel: Channel
    key: str
    name: str
    settings: Mapping[str, Any]
    problem: str | None = None
    _read: dict[type[BaseModel], BaseModel] = field(default_factory=dict, repr=False)

    def read(self, model: type[M]) -> M:
        """The settings as an adapter's own type, read once.

        Raises Unavailable where they cannot be: a secret is missing, or they fit an older release.
        """
        found = self._read.get(model)
        if isinstance(found, model):
            return found
        if self.problem is not None:
            raise Unavailable(f"the source '{self.key}' is not ready: {self.problem}")
        try:
            made = self._read[model] = model.model_validate(self.settings)
        except ValidationError as error:
            raise Unavailable(f"the source '{self.key}' is not ready: {error.errors()[0]['msg']}") from None
        return made


@dataclass(frozen=True, eq=False)
class Book:
    """All active sources, by channel and key, at one version of the workspace."""

    version: int
    workspace: WorkspaceSettings
    sources: Mapping[tuple[Channel, str], LoadedSource]

    def of(self, channel: Channel) -> list[LoadedSource]:
        """The sources of one channel."""
        return [s for s in self.sources.values() if s.channel is channel]


_book: Book | None = None
_read_at = 0.0
_reading = threading.Lock()


def book() -> Book:
    """The sources in force."""
    global _book, _read_at
    now = clock.monotonic()
    if _book is not None and now - _read_at < FRESH:
        return _book
    # Who comes while another one reads goes on with what is there, except at the very first.
    if _reading.acquire(blocking=_book is None):
        try:
            if _book is None or clock.monotonic() - _read_at >= FRESH:
                _book = _read(_book)
                _read_at = now
        finally:
            _reading.release()
    return _book or book()


def soon(patience: float) -> Book:
    """`book`, but within so many seconds: after them, or without the database, the one that was in force.

    Raises Unavailable where none was ever read.
    """
    if _book is None or clock.monotonic() - _read_at < FRESH:
        return book()
    reader = threading.Thread(target=_refresh, name="sources", daemon=True)
    reader.start()
    reader.join(patience)
    return _book or book()


def _refresh() -> None:
    with suppress(Unavailable):
        book()


def forget() -> None:
    """Makes the next look read anew; for tests and for whoever has just changed the sources."""
    global _book
    _book = None


def _read(known: Book | None) -> Book:
    with db.reading() as session:
        row = session.get(WorkspaceRow, 1)
        version = row.version if row else 0
        if known is not None and known.version == version:
            return known
        environment = secrets.opened_environment(row.environment) if row else {}
        found = session.scalars(select(Source).where(Source.active)).all()
        return Book(
            version=version,
            workspace=WorkspaceSettings.model_validate(row.settings if row else {}),
            sources={(s.channel, s.key): _loaded(s, environment) for s in found},
        )


def _loaded(source: Source, environment: Mapping[str, str]) -> LoadedSource:
    settings, problem = source.settings, None
    try:
        settings = secrets.opened(settings, environment)
    except Invalid as error:
        problem = str(error)
    return LoadedSource(source.id, source.channel, source.key, source.name, settings, problem)
