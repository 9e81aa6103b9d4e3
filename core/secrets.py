"""Secrets at rest: sealed with the service's key, so that a copy of the database tells nothing."""

from __future__ import annotations

import base64
import hashlib
import hmac

from cryptography.fernet import Fernet, InvalidToken

from core.errors import Invalid
from core.settings import settings

_MARK = "sealed:1:"


def derived_key(purpose: str) -> bytes:
    """32 bytes for one purpose, so that no two uses of the secret key share a key."""
    return hmac.new(settings().key(), b"portaria " + purpose.encode(), hashlib.sha256).digest()


def _box() -> Fernet:
    return Fernet(base64.urlsafe_b64encode(derived_key("seal")))


def is_sealed(text: str) -> bool:
    """Whether this text came out of `seal`."""
    return text.startswith(_MARK)


def seal(text: str) -> str:
    """The text, encrypted and authenticated (Fernet)."""
    return _MARK + _box().encrypt(text.encode()).decode()


def unseal(text: str) -> str:
    """The text that was sealed.

    Raises Invalid when the service's key is another one than it was sealed with.
    """
    try:
        return _box().decrypt(text.removeprefix(_MARK).encode()).decode()
    except InvalidToken:
        raise Invalid("a stored secret cannot be opened: PORTARIA_SECRET_KEY has changed") from None
