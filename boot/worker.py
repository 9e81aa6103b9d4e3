"""The worker process: Dramatiq's threads, our actors."""

from __future__ import annotations

import threading

from dramatiq import Worker

from boot import process
from core import db, queue
from core.errors import Invalid
from core.redis_broker import BellBroker
from core.settings import settings
from worker import actors

#: Milliseconds an idle consumer waits for its bell before it looks anyway.
_IDLE = 1000
#: Milliseconds in which what was begun should end.
_LAST = 8000


def run() -> None:
    """Works until told to stop, then finishes what it has begun."""
    here = settings()
    process.begin("worker", pool=here.worker_threads + _behind(here.worker_threads) + 4)
    url = process.broker_url(here)
    if not url:
        raise Invalid("there is no broker: set BROKER_URL, or run 'portaria up'")
    told = process.stop_event()
    working = workers(url, threads=here.worker_threads)
    for worker in working:
        worker.start()
    told.wait()
    stop(working)
    queue.configure(None)
    db.database().close()


def workers(url: str, *, threads: int) -> list[Worker]:
    """One for all that comes, and one for the backlog: in one queue, the first would wait for the second."""
    others = set(queue.QUEUES.values()) - {queue.BACKLOG}
    return [_worker(url, others, threads), _worker(url, {queue.BACKLOG}, _behind(threads))]


def stop(workers: list[Worker]) -> None:
    """Has them finish what they have begun, all at once."""
    ending = [threading.Thread(target=worker.stop, args=(_LAST,)) for worker in workers]
    for thread in ending:
        thread.start()
    for thread in ending:
        thread.join()
    for worker in workers:
        worker.broker.close()


def _behind(threads: int) -> int:
    """How many more threads work off a backlog. Each may be writing when something else comes."""
    return max(1, threads // 2)


def _worker(url: str, queues: set[str], threads: int) -> Worker:
    """One set of threads and the queues it takes from, with a broker of its own: Dramatiq asks for that."""
    broker = queue.make_broker(url)
    actors.declare(broker, threads=threads)
    idle = _IDLE if isinstance(broker, BellBroker) else 100
    return Worker(broker, queues=queues, worker_threads=threads, worker_timeout=idle)
