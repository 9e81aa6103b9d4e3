"""Where rules may send to, as far as an address says so itself; the rest is seen when it is resolved."""

from __future__ import annotations

from core.addresses import says_private
from core.errors import Invalid
from core.settings import settings


def check(url: str) -> None:
    """Raises Invalid for an address of our own network, unless this installation sends there.

    And for one with a template in it: what came in from outside must not decide where anything is sent.
    """
    if "{{" in url:
        raise Invalid(f"'{url}' is taken as it is written: an address cannot name fields")
    if says_private(url) and not settings().private_destinations:
        raise Invalid(f"'{url}' is an address of a private network; nothing is sent there")
