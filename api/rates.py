"""How much one token may ask for: counted in the broker where that is Redis, else in each process.

Told with every answer as draft-ietf-httpapi-ratelimit-headers has it.
"""

from __future__ import annotations

import math
from functools import lru_cache

from flask import Response, g
from limits import RateLimitItem, parse
from limits.errors import StorageError
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter

from core import clock
from core.errors import Refused
from core.logs import logger
from core.settings import settings

log = logger(__name__)
_NAME = "token"


@lru_cache(maxsize=1)
def _limiter(broker: str) -> FixedWindowRateLimiter:
    shared = broker.startswith(("redis://", "rediss://"))
    return FixedWindowRateLimiter(storage_from_string(broker if shared else "memory://"))


def count(who: str) -> None:
    """Counts a request of this token. Raises Refused (429) beyond the rate, with when to come again.

    Where it cannot be counted nobody is held up.
    """
    item = parse(settings().api_rate)
    try:
        limiter = _limiter(settings().broker_url)
        within = limiter.hit(item, "api", who)
        stats = limiter.get_window_stats(item, "api", who)
    except (StorageError, OSError) as error:
        log.warning("rates.not_counted", error=str(error))
        return
    seconds = max(1, math.ceil(stats.reset_time - clock.now().timestamp()))
    g.rate = (item, max(0, stats.remaining), seconds)
    if not within:
        raise Refused(
            f"this token may ask {_words(item)}; wait {seconds} s",
            status=429,
            reason="api_rate",
            retry_after=seconds,
        )


def tell(answer: Response) -> None:
    """Adds what is left to an answer."""
    told: tuple[RateLimitItem, int, int] | None = g.get("rate")
    if told is not None:
        item, remaining, seconds = told
        answer.headers["RateLimit-Policy"] = f'"{_NAME}";q={item.amount};w={item.get_expiry()}'
        answer.headers["RateLimit"] = f'"{_NAME}";r={remaining};t={seconds}'


def _words(item: RateLimitItem) -> str:
    return f"{item.amount} times in {item.get_expiry()} s"
