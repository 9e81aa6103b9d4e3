"""What recognises an answer to a mail of ours: a token that nobody else can make, in the mail's own id.

The same token stands in the Message-ID, which answers repeat in In-Reply-To and References (RFC 5322 section
3.6.4), and behind a plus in the address to answer to, where the mailbox has such addresses (RFC 5233).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from core.secrets import derived_key, derived_keys
from core.settings import settings

_PURPOSE = "mail threads"
_BYTES = 10  # 16 letters
# Letters of one case: mail servers may change it. A point in the Message-ID, a stroke behind the plus.
_IN_ID = re.compile(r"<([a-z2-7]{16})\.([a-z2-7]{16})\.portaria@[^<>\s]{1,255}>", re.IGNORECASE)
_IN_ADDRESS = re.compile(r"\+([a-z2-7]{16})-([a-z2-7]{16})@", re.IGNORECASE)


def token_of(effect_key: str) -> str:
    """The token of the mail with this effect key: the same at each attempt."""
    return _letters(hashlib.sha256(effect_key.encode()).digest())


def message_id(effect_key: str) -> str:
    """The Message-ID of the mail with this effect key."""
    token = token_of(effect_key)
    host = urlsplit(settings().address).hostname or "localhost"
    return f"<{token}.{_mark(derived_key(_PURPOSE), token)}.portaria@{host}>"


def answer_address(address: str, effect_key: str) -> str:
    """The mailbox's address with the token behind a plus; as it is where that would be too long."""
    token = token_of(effect_key)
    local, _, domain = address.rpartition("@")
    longer = f"{local}+{token}-{_mark(derived_key(_PURPOSE), token)}"
    return f"{longer}@{domain}" if len(longer) <= 64 else address  # RFC 5321 section 4.5.3.1.1


def in_ids(message_ids: Iterable[str]) -> list[str]:
    """The tokens in these Message-IDs that are ours, in their order."""
    return list(dict.fromkeys(_ours(_IN_ID, message_ids)))


def is_ours(message_id: str) -> bool:
    """Whether it is the Message-ID of a mail that we sent."""
    return bool(in_ids((message_id,)))


def in_addresses(addresses: Iterable[str]) -> list[str]:
    """The tokens in these addresses that are ours."""
    return list(dict.fromkeys(_ours(_IN_ADDRESS, addresses)))


def _ours(pattern: re.Pattern[str], texts: Iterable[str]) -> Iterator[str]:
    keys = derived_keys(_PURPOSE)
    for text in texts:
        for token, mark in pattern.findall(text):
            if any(hmac.compare_digest(_mark(key, token.lower()), mark.lower()) for key in keys):
                yield token.lower()


def _mark(key: bytes, token: str) -> str:
    return _letters(hmac.new(key, token.encode(), hashlib.sha256).digest())


def _letters(raw: bytes) -> str:
    return base64.b32encode(raw[:_BYTES]).decode().lower()
