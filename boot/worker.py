"""The worker process: Dramatiq's threads, our actors."""

from __future__ import annotations

from dramatiq import Worker

from boot import process
from core import db, queue
from core.errors import Invalid
from core.redis_broker import BellBroker
from core.settings import settings
from worker import actors

#: Milliseconds an idle consumer waits for its bell before it looks anyway.
_IDLE = 1000


def run() -> None:
    """Works until told to stop, then finishes what it has begun."""
    here = settings()
    process.begin("worker", pool=here.worker_threads + 4)
    url = process.broker_url(here)
    if not url:
        raise Invalid("there is no broker: set BROKER_URL, or run 'portaria up'")
    broker = queue.make_broker(url)
    actors.declare(broker, threads=here.worker_threads)
    stop = process.stop_event()
    worker = Worker(
        broker,
        worker_threads=here.worker_threads,
        worker_timeout=_IDLE if isinstance(broker, BellBroker) else 100,
    )
    worker.start()
    stop.wait()
    worker.stop(timeout=8000)
    broker.close()
    queue.configure(None)
    db.database().close()
