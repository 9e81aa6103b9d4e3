"""From which country a visitor's network address is, by a database that the operator has put there."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import maxminddb

from core.logs import logger
from core.settings import settings
from crm.submission import Submission

COUNTRY = "ip_country"
log = logger(__name__)


def told(submission: Submission, address: str) -> Submission:
    """The submission with its country (ISO 3166-1, two letters), where the database knows one."""
    code = country(address)
    if code is None:
        return submission
    return replace(submission, attribution={**submission.attribution, COUNTRY: code})


def country(address: str) -> str | None:
    """The country of this network address; None without a database, or where it does not know."""
    path = settings().country_database
    reader = _reader(path) if path else None
    if reader is None:
        return None
    try:
        found = reader.get(address)
    except (ValueError, maxminddb.InvalidDatabaseError):
        return None
    inner = found.get("country") if isinstance(found, dict) else None
    code = inner.get("iso_code") if isinstance(inner, dict) else None
    return code if isinstance(code, str) and len(code) == 2 else None


@lru_cache(maxsize=2)
def _reader(path: Path) -> maxminddb.Reader | None:
    """Read once; a new file counts from the next start on."""
    try:
        return maxminddb.open_database(path)
    except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
        log.warning("whereabouts.no_database", path=str(path), error=str(error))
        return None
