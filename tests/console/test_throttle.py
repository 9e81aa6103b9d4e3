"""How often something may be tried."""

from __future__ import annotations

from datetime import timedelta

from console.throttle import Throttle
from core import clock
from tests.console.seed import NOW

MINUTE = timedelta(minutes=1)


def test_the_window_slides() -> None:
    throttle = Throttle(most=2, within=10 * MINUTE)
    for at, wait in ((0, None), (6, None), (9, MINUTE), (10, None), (11, 5 * MINUTE), (16, None)):
        with clock.frozen(NOW + at * MINUTE):
            assert throttle.take("a") == wait


def test_each_key_counts_for_itself() -> None:
    throttle = Throttle(most=1, within=MINUTE)
    assert throttle.take("a", "x") is None
    assert throttle.take("a", "y") is None
    assert throttle.take("a", "x") == MINUTE


def test_made_up_keys_take_no_more_memory_than_was_said() -> None:
    throttle = Throttle(most=1, within=MINUTE, keys=2)
    for key in ("a", "b", "a", "c"):
        throttle.take(key)
    assert throttle.take("b") is None
    assert throttle.take("c") == MINUTE
