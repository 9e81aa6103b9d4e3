"""Dramatiq on Redis without the wait: an idle consumer blocks on a bell instead of sleeping.

Dramatiq's own consumer polls with a back-off that grows to a second. Here each message also pushes
a token on a short list beside its queue, and an idle consumer waits for one with BLPOP. Tokens are
hints: too many cost an empty look, too few cost at most the idle timeout.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any
from uuid import uuid4

import redis
from dramatiq import Message, MessageProxy
from dramatiq.brokers.redis import RedisBroker, _RedisConsumer
from dramatiq.errors import ConnectionClosed

_MOST_TOKENS = 32


class BellBroker(RedisBroker):
    """A RedisBroker whose consumers wake when something is enqueued.

    It declares no delay queues: what is due later is a row in the database, so their consumers would
    only poll.
    """

    def __init__(self, url: str) -> None:
        client = redis.Redis.from_url(
            url, socket_connect_timeout=1, socket_timeout=5, health_check_interval=15, retry_on_timeout=False
        )
        super().__init__(client=client, namespace="portaria", middleware=[])  # type: ignore[no-untyped-call]

    @property
    def consumer_class(self) -> type[_RedisConsumer]:
        return _BellConsumer

    def bell(self, queue_name: str) -> str:
        """The name of the list that wakes this queue's consumers."""
        return f"{self.namespace}:bell:{queue_name}"

    def declare_queue(self, queue_name: str) -> None:
        """Declares a queue, without Dramatiq's delay queue beside it."""
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues.add(queue_name)
            self.emit_after("declare_queue", queue_name)

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """Enqueues the message and rings the queue's bell.

        Raises ValueError for a delay: due times are kept in the database.
        """
        if delay is not None:
            raise ValueError("a due time is a row in the database, not a delayed message")
        self.enqueue_all([message])
        return message

    def enqueue_all(self, messages: Iterable[Message[Any]]) -> None:
        """Enqueues all of them in one round trip, and rings the bells of their queues.

        The keys are Dramatiq's own. Its script looks after dead workers as well, which their consumers do.
        """
        by_queue: dict[str, dict[str, bytes]] = {}
        for message in messages:
            given = str(uuid4())
            named = message.copy(options={"redis_message_id": given})
            by_queue.setdefault(message.queue_name, {})[given] = named.encode()
        with self.client.pipeline() as pipe:
            for queue_name, encoded in by_queue.items():
                full_name = f"{self.namespace}:{queue_name}"
                pipe.hset(f"{full_name}.msgs", mapping=encoded)  # type: ignore[arg-type]
                pipe.rpush(full_name, *encoded)
                pipe.lpush(self.bell(queue_name), *([1] * min(len(encoded), _MOST_TOKENS)))
                pipe.ltrim(self.bell(queue_name), 0, _MOST_TOKENS - 1)
            pipe.execute()


class _BellConsumer(_RedisConsumer):
    def __init__(self, broker: BellBroker, queue_name: str, prefetch: int, timeout: int) -> None:
        super().__init__(broker, queue_name, prefetch, timeout)  # type: ignore[no-untyped-call]
        self._bell = broker.bell(queue_name)
        self._room = threading.Event()

    def ack(self, message: MessageProxy) -> None:
        super().ack(message)  # type: ignore[no-untyped-call]
        self._room.set()

    def nack(self, message: MessageProxy) -> None:
        super().nack(message)  # type: ignore[no-untyped-call]
        self._room.set()

    def __next__(self) -> MessageProxy | None:
        try:
            if not self.message_cache:
                room = self.prefetch - self.outstanding_message_count
                if room > 0:
                    self.message_cache = self.broker.do_fetch(self.queue_name, room)
                else:
                    # All we may hold is in work: wait for a place, not for a message.
                    self._room.clear()
                    self._room.wait(0.05)
                    return None
            if self.message_cache:
                message = Message.decode(self.message_cache.pop(0))
                self.queued_message_ids.add(message.message_id)
                return MessageProxy(message)
            self.broker.client.blpop([self._bell], timeout=self.timeout / 1000)
        except (redis.ConnectionError, redis.TimeoutError) as error:
            raise ConnectionClosed(error) from None  # type: ignore[no-untyped-call]
        return None
