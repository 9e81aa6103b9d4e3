"""How many posts one address, or one form, may make; counted in the broker where that is Redis."""

from __future__ import annotations

import math
from functools import lru_cache

from limits import RateLimitItem, parse_many
from limits.errors import StorageError
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter

from core import clock
from core.logs import logger
from core.settings import settings

log = logger(__name__)
#: So many times the rate is refused at the door; what lies between is kept in quarantine.
FLOOD = 10


@lru_cache(maxsize=1)
def _limiter(broker: str) -> MovingWindowRateLimiter:
    shared = broker.startswith(("redis://", "rediss://"))
    return MovingWindowRateLimiter(storage_from_string(broker if shared else "memory://"))


def exceeded(rate: str | None, *who: str) -> str | None:
    """Which of the rates this post goes beyond, such as `20 per 1 hour`; None where none.

    Where they cannot be counted nothing is held up: the broker being away loses no enquiry.
    """
    for item in _items(rate):
        if not _hit(item, *who):
            return str(item)
    return None


def flooding(rate: str | None, *who: str) -> int | None:
    """After how many seconds a post beyond ten times the rate may be tried again; None within it."""
    many = [type(item)(item.amount * FLOOD, item.multiples, item.namespace) for item in _items(rate)]
    held = [item for item in many if not _hit(item, "flood", *who)]
    return max((_seconds(item, "flood", *who) for item in held), default=None)


def _items(rate: str | None) -> list[RateLimitItem]:
    return parse_many(rate) if rate else []


def _hit(item: RateLimitItem, *who: str) -> bool:
    try:
        return _limiter(settings().broker_url).hit(item, *who)
    except (StorageError, OSError) as error:
        log.warning("rates.not_counted", error=str(error))
        return True


def _seconds(item: RateLimitItem, *who: str) -> int:
    try:
        until = _limiter(settings().broker_url).get_window_stats(item, *who).reset_time
    except (StorageError, OSError):
        return item.get_expiry()
    return max(1, math.ceil(until - clock.now().timestamp()))


def forget() -> None:
    """Begins to count anew; for tests."""
    _limiter.cache_clear()
