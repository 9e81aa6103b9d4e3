"""Secrets at rest: sealed with the service's key, so that a copy of the database tells nothing."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
from collections.abc import Mapping
from functools import partial
from typing import TypeVar, cast

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from dotenv import dotenv_values

from core.errors import Invalid
from core.logs import logger
from core.settings import settings

log = logger(__name__)
T = TypeVar("T")
_MARK = "sealed:1:"


def derived_key(purpose: str) -> bytes:
    """32 bytes for one purpose, so that no two uses of the secret key share a key."""
    return _derived(settings().key(), purpose)


def derived_keys(purpose: str) -> tuple[bytes, ...]:
    """The purpose's key, and those it had before the secret key was changed: to check what they signed."""
    before = (key.get_secret_value().encode() for key in settings().previous_secret_keys)
    return tuple(_derived(key, purpose) for key in (settings().key(), *before))


def _derived(key: bytes, purpose: str) -> bytes:
    return hmac.new(key, b"portaria " + purpose.encode(), hashlib.sha256).digest()


def _box() -> MultiFernet:
    """Seals with the present key, and opens with the previous ones, too."""
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in derived_keys("seal")])


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


_REFERENCE = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")


def references(document: object) -> set[str]:
    """The names that appear as ${NAME} anywhere in a document of dicts, lists and strings."""
    if isinstance(document, str):
        return set(_REFERENCE.findall(document))
    parts = (
        document.values() if isinstance(document, dict) else document if isinstance(document, list) else ()
    )
    return set().union(*map(references, parts))


def unsealed(document: T) -> T:
    """The document with sealed strings opened and references left as they are."""
    if isinstance(document, str):
        return cast(T, unseal(document) if is_sealed(document) else document)
    if isinstance(document, dict):
        return cast(T, {k: unsealed(v) for k, v in document.items()})
    if isinstance(document, list):
        return cast(T, [unsealed(v) for v in document])
    return document


def opened(document: T, environment: Mapping[str, str]) -> T:
    """The document with sealed strings opened and each ${NAME} replaced, from the process's environment
    first and from `environment` second.

    Raises Invalid for a name that is in neither.
    """
    if isinstance(document, str):
        text = (
            unseal(document)
            if is_sealed(document)
            else _REFERENCE.sub(partial(_value, environment), document)
        )
        return cast(T, text)
    if isinstance(document, dict):
        return cast(T, {k: opened(v, environment) for k, v in document.items()})
    if isinstance(document, list):
        return cast(T, [opened(v, environment) for v in document])
    return document


def environ(name: str) -> str | None:
    """A name's value in the process's environment, else in the `.env` beside which it was started."""
    return os.environ.get(name) or dotenv_values(".env").get(name)


def _value(environment: Mapping[str, str], match: re.Match[str]) -> str:
    name = match[1]
    value = environ(name) or environment.get(name)
    if value is None:
        raise Invalid(f"${{{name}}} is not set in the environment, and no value of it is kept")
    return value


def sealed_environment(values: Mapping[str, str]) -> str:
    """Names and values, sealed as one text."""
    return seal(json.dumps(dict(values), sort_keys=True))


def opened_environment(text: str) -> dict[str, str]:
    """What `sealed_environment` sealed; empty for an empty text.

    Empty, too, where it was sealed with another key: what needs a name of it then says which.
    """
    if not text:
        return {}
    try:
        values: dict[str, str] = json.loads(unseal(text))
    except Invalid as error:
        log.error("secrets.environment_lost", error=str(error))  # noqa: TRY400  it says all there is
        return {}
    return values
