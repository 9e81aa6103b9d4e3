"""The doorbell: says by name that a row is waiting. Never the truth, which is in the database.

`wake(session, name, row_id)` is noted on the session and rung by `unit_of_work` after the commit,
from a thread of its own: a broker that is slow or gone never delays whoever commits. What is not
rung is found by the sweep.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from dramatiq import Broker, Message

from core.errors import Invalid
from core.logs import logger

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

PROCESS_CALL = "process_call"
PROCESS_EVENT = "process_event"
#: The same for what has waited already, which lets go before what comes just now.
PROCESS_BACKLOG = "process_backlog"
RUN_STEP = "run_step"
GO_ON = "go_on"
FETCH_RECORDING = "fetch_recording"
FETCH_FILE = "fetch_file"
SEND_MAIL = "send_mail"
PLACE_CALL = "place_call"
TRANSFER_CALL = "transfer_call"
CHECK_LINE = "check_line"
SUBSCRIBE = "subscribe"
IMPORT = "import"
DELIVER = "deliver"

#: A queue that workers have threads of its own for: however much is in it, it keeps nothing else waiting.
BACKLOG = "backlog"

# Which queue each actor's messages go to. A test compares this with the actors that are declared.
QUEUES = {
    PROCESS_CALL: "calls",
    PROCESS_EVENT: "events",
    PROCESS_BACKLOG: BACKLOG,
    RUN_STEP: "steps",
    GO_ON: "waits",
    FETCH_RECORDING: "recordings",
    FETCH_FILE: "recordings",
    SEND_MAIL: "mails",
    PLACE_CALL: "calls",
    TRANSFER_CALL: "calls",
    CHECK_LINE: "checks",
    SUBSCRIBE: "checks",
    IMPORT: "imports",
    DELIVER: "webhooks",
}

_MOST_WAITING = 10_000
#: What takes so little time that rings of a burst may share a message, which costs a fraction; how many at
#: most, and the number of messages below which none share one: as many threads can take them.
_SHORT = frozenset({PROCESS_CALL, PROCESS_EVENT, PROCESS_BACKLOG, GO_ON})
_MOST_TOGETHER, _FEW = 8, 4
log = logger(__name__)


class Wake(NamedTuple):
    """One ring: an actor's name and the id of the row that waits for it."""

    actor: str
    row_id: str


def wake(session: Session, actor: str, row_id: object) -> None:
    """Notes that `actor` is to be rung for this row once the session's transaction has committed."""
    session.info.setdefault("wakes", []).append(Wake(actor, str(row_id)))


def taken(session: Session) -> list[Wake]:
    """What was noted on this session, which forgets it."""
    wakes: list[Wake] = session.info.pop("wakes", [])
    return wakes


def make_broker(url: str) -> Broker:
    """A Dramatiq broker for this address; it connects when it is first used.

    Raises Invalid for a scheme that is no broker's.
    """
    if url.startswith(("redis://", "rediss://", "unix://")):
        from core.redis_broker import BellBroker  # each broker's client is only loaded where it is used

        return BellBroker(url)
    if url.startswith(("amqp://", "amqps://")):
        from dramatiq.brokers.rabbitmq import RabbitmqBroker

        return RabbitmqBroker(url=url, middleware=[], confirm_delivery=False)
    raise Invalid(f"no broker speaks {url.split(':', 1)[0]}")


def answers(url: str) -> bool:
    """Whether a broker answers at this address, within a second or two."""
    if url.startswith("amqp"):
        import pika

        parameters = pika.URLParameters(url)
        parameters.socket_timeout = parameters.blocked_connection_timeout = 2
        parameters.stack_timeout, parameters.connection_attempts = 3, 1
        try:
            pika.BlockingConnection(parameters).close()
        except (pika.exceptions.AMQPError, OSError):
            return False
        return True
    import redis

    try:
        with redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1) as client:
            return bool(client.ping())
    except (redis.RedisError, OSError):
        return False


class Ringer:
    """Rings from one thread, in order; forgets the oldest when too many wait, and says so."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self._waiting: deque[Wake] = deque()
        self._changed = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="ringer", daemon=True)
        self._thread.start()

    def ring(self, wakes: Iterable[Wake]) -> None:
        """Hands the rings to the thread and returns at once."""
        with self._changed:
            self._waiting.extend(wakes)
            while len(self._waiting) > _MOST_WAITING:
                self._waiting.popleft()
            self._changed.notify()

    def stop(self, timeout: float = 2) -> None:
        """Rings what waits, for at most that many seconds."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join(timeout)

    def _run(self) -> None:
        silent = False
        while True:
            with self._changed:
                while not self._waiting and not self._stopped:
                    self._changed.wait()
                if not self._waiting:
                    return
                wakes = list(self._waiting)
                self._waiting.clear()
            try:
                self._send(wakes)
                silent = False
            except Exception as error:  # noqa: BLE001  whatever a broker's client raises: the sweep rings again
                if not silent:
                    log.warning("broker.silent", error=str(error), lost_rings=len(wakes))
                silent = True

    def _send(self, wakes: list[Wake]) -> None:
        messages = list(together(wakes))
        if hasattr(self.broker, "enqueue_all"):
            self.broker.enqueue_all(messages)
        else:
            for each in messages:
                self.broker.enqueue(each)


def together(wakes: Iterable[Wake]) -> Iterator[Message[None]]:
    """The messages of these rings."""
    by_actor: dict[str, list[str]] = {}
    for each in wakes:
        by_actor.setdefault(each.actor, []).append(each.row_id)
    for actor, ids in by_actor.items():
        size = min(max(1, len(ids) // _FEW), _MOST_TOGETHER) if actor in _SHORT else 1
        for first in range(0, len(ids), size):
            yield message(actor, *ids[first : first + size])


def message(actor: str, *row_ids: str) -> Message[None]:
    """The Dramatiq message of a ring: the rows' ids and nothing else."""
    return Message(queue_name=QUEUES[actor], actor_name=actor, args=row_ids, kwargs={}, options={})


_ringer: Ringer | None = None


def configure(broker: Broker | None) -> None:
    """Sets the broker that this process rings; None leaves all ringing to the sweep."""
    global _ringer
    if _ringer is not None:
        _ringer.stop()
    _ringer = Ringer(broker) if broker is not None else None


def ring(wakes: Iterable[Wake]) -> None:
    """Rings now, without a transaction; does nothing where no broker is configured."""
    if _ringer is not None and (wakes := list(wakes)):
        _ringer.ring(wakes)
