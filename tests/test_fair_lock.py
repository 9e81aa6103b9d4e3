"""Whoever waits longest for a lock has it next."""

from __future__ import annotations

import threading

from core.fair_lock import FairLock
from tests.servers.port import wait_for


def test_a_lock_is_had_in_the_order_in_which_it_was_asked_for() -> None:
    lock = FairLock()
    assert lock.acquire()
    had: list[int] = []

    def take(number: int) -> None:
        assert lock.acquire()
        had.append(number)
        lock.release()

    threads = []
    for number in range(5):
        threads.append(threading.Thread(target=take, args=(number,)))
        threads[-1].start()
        wait_for(lambda n=number: len(lock._waiting) == n + 1, 5, "it does not wait", every=0.001)  # type: ignore[misc]
    lock.release()
    assert lock.acquire()  # who lets it go and asks again comes last
    had.append(5)
    lock.release()
    for thread in threads:
        thread.join()
    assert had == [0, 1, 2, 3, 4, 5]


def test_who_gives_up_waiting_keeps_nobody_else_waiting() -> None:
    lock = FairLock()
    assert lock.acquire()
    assert not lock.acquire(timeout=0.01)
    lock.release()
    assert lock.acquire(timeout=0.01)
