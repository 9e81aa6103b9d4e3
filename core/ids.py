"""Identifiers: time-ordered event ids, random tokens, and keyed hashes of content."""

from __future__ import annotations

import hashlib
import json
import secrets
from datetime import datetime
from uuid import UUID

from uuid_utils import uuid7


def new_id() -> str:
    """A UUID version 7 (RFC 9562): sorts by the time it was made, so an index grows at its end."""
    return str(uuid7())


def new_token(prefix: str) -> str:
    """A secret of 256 random bits that names its purpose."""
    return f"{prefix}_{secrets.token_urlsafe(32)}"


def digest(*parts: bytes | str) -> str:
    """A SHA-256 over the parts, each with its length, as 64 hexadecimal digits."""
    total = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        total.update(len(raw).to_bytes(8, "big"))
        total.update(raw)
    return total.hexdigest()


def keyed(values: object) -> str:
    """A digest of plain values, the same for the same values in whatever order their names stand."""
    return digest(json.dumps(values, sort_keys=True, default=str))


def first_id(at: datetime) -> str:
    """The least id that `new_id` could have made at this moment (RFC 9562 section 5.7)."""
    milliseconds = int(at.timestamp() * 1000)
    return str(UUID(int=milliseconds << 80))
