"""Answers a provider that asks whom to ring, in time whatever happens.

The question has `BUDGET` seconds from when it came. Who is there is looked up in a thread of its own: where
the database is slow, away or busy, the line's fallback is rung, which stands in memory. What was answered is
journalled with the question, so that both are one event; only here does an answer not wait for the journal
beyond its time, and then this process keeps the event until the journal takes it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from contextlib import suppress
from datetime import datetime

from sqlalchemy import select, text

from core import clock, db
from core.errors import PortariaError, Unavailable
from core.logs import logger
from core.metrics import CONNECTED
from crm import held_users, workspace
from crm.workspace import WorkspaceSettings
from intake.calls.connect import AskingLine, Connect, Connection, Question
from intake.sources import LoadedSource
from models.inbound import InboundEvent
from models.source import Channel, Source
from rules.reception import Caller, Choice, Reception

#: Seconds from a question to its answer, and how many of them may go into looking up who is there.
BUDGET, LOOKING = 0.25, 0.18
# Seconds that may go into holding somebody, and how many are tried for whom others are quicker.
_HOLDING, _CONTESTED = 0.04, 8
# So many look at once; who comes beyond that gets the fallback: they would only wait for each other.
_LANES = 8
_REMEMBERED = 2_000
log = logger(__name__)


class Desk:
    """One for each process that has a door. Remembers what it has answered, and whom it has rung."""

    def __init__(self) -> None:
        self._lanes = ThreadPoolExecutor(_LANES, thread_name_prefix="reception")
        self._free = threading.BoundedSemaphore(_LANES)
        self._lock = threading.Lock()
        self._rung: dict[int, datetime] = {}
        self._answered: OrderedDict[tuple[int, str], Connection] = OrderedDict()

    def warm(self) -> None:
        """Loads what the first caller would otherwise wait for; nothing where the database is away."""
        with suppress(PortariaError), db.reading() as session:
            line = session.scalars(select(Source).where(Source.channel == Channel.CALL).limit(1)).first()
            if line is not None:
                here = workspace.load(session)
                caller = Caller(line.id, "", "+12025550143", here.country)
                Reception(session, caller, here, {}).choose([line.settings.get("team") or ""])

    def stop(self) -> None:
        """Lets what is being looked up end, and takes no more."""
        self._lanes.shutdown()

    def connection(
        self,
        source: LoadedSource,
        line: AskingLine,
        here: WorkspaceSettings,
        question: Question,
        key: str,
        *,
        until: float,
    ) -> Connection:
        """Whom to ring, by then on the monotonic clock. The same question (`key`) has the same answer."""
        assert line.connect is not None  # noqa: S101  else nothing is asked
        with self._lock:
            before = self._answered.get((source.id, key))
        if before is not None:
            return before
        if question.missed:
            found, by = Connection(line.connect.fallback, "whoever was rung did not answer"), "missed"
        else:
            found, by = self._in_time(source, line, line.connect, here, question, key, until)
        CONNECTED.labels(by).inc()
        with self._lock:
            self._answered[source.id, key] = found
            while len(self._answered) > _REMEMBERED:
                self._answered.popitem(last=False)
            if found.user_id is not None:
                self._rung[found.user_id] = clock.now()
        return found

    def _in_time(
        self,
        source: LoadedSource,
        line: AskingLine,
        connect: Connect,
        here: WorkspaceSettings,
        question: Question,
        key: str,
        until: float,
    ) -> tuple[Connection, str]:
        if not self._free.acquire(blocking=False):
            return _fallback(connect, "too many calls came at once")
        others = [to for to in dict.fromkeys((connect.team or line.team, here.catch_all)) if to]
        caller = Caller(
            source.id,
            question.call_id,
            question.from_number,
            line.country or here.country,
            question.extensions,
        )
        looked: Future[Connection | Choice] = self._lanes.submit(self._look, caller, here, others, key, until)
        looked.add_done_callback(lambda _: self._free.release())
        patience = max(0.0, until - clock.monotonic())
        try:
            found = looked.result(patience)
        except TooLate:
            return _fallback(connect, f"who is there was not known within {patience * 1000:.0f} ms")
        except PortariaError as error:
            return _fallback(connect, str(error))
        except Exception:  # whatever is wrong with us, the caller is rung through
            log.exception("reception.broken")
            return _fallback(connect, "who is there could not be found out")
        if isinstance(found, Connection):
            return found, "again"
        if found.user is None:
            return _fallback(connect, found.why)
        number = found.user.phone or found.user.extension or connect.fallback
        return (
            Connection(
                number, found.why, found.user.id, found.user.email, found.user.name, found.user.extension
            ),
            found.by,
        )

    def _look(
        self, caller: Caller, here: WorkspaceSettings, others: list[str], key: str, until: float
    ) -> Connection | Choice:
        """Somebody who is there, and whom nobody else rings at this moment, in this process or another."""
        taken: set[int] = set()
        while True:
            found = self._seen(caller, here, others, key, frozenset(taken))
            if isinstance(found, Connection) or found.user is None:
                return found
            if len(taken) >= _CONTESTED or self._held(found.user.id, caller, until):
                return found
            taken.add(found.user.id)

    def _held(self, user_id: int, caller: Caller, until: float) -> bool:
        """Whether they are ours now; also where that cannot be told in time: better two calls than none."""
        patience = min(_HOLDING, until - clock.monotonic())
        if patience <= 0:
            return True
        try:
            with db.unit_of_work(durable=False, patience=patience) as session:
                return held_users.hold(session, user_id, source_id=caller.source_id, group_id=caller.group_id)
        except Unavailable:
            return True

    def _seen(
        self, caller: Caller, here: WorkspaceSettings, others: list[str], key: str, taken: frozenset[int]
    ) -> Connection | Choice:
        with self._lock:
            rung = dict(self._rung)
        with db.reading() as session:
            if session.get_bind().dialect.name == "postgresql":
                session.execute(text(f"SET LOCAL statement_timeout = {LOOKING * 1000:.0f}"))
            asked = session.scalars(
                select(InboundEvent.envelope).where(
                    InboundEvent.source_id == caller.source_id, InboundEvent.dedupe_key == key
                )
            ).first()
            before = Connection.of(asked["facts"]) if asked is not None else None
            return before or Reception(session, caller, here, rung, taken).choose(others)


def _fallback(connect: Connect, why: str) -> tuple[Connection, str]:
    return Connection(connect.fallback, f"the fallback: {why}"), "fallback"
