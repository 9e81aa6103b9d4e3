"""Signatures as services make them: an HMAC over exact bytes, compared in constant time. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

import jwt
from pydantic import SecretStr
from standardwebhooks import Webhook

from core.errors import Refused, Unreadable
from core.ids import new_id

#: How old, or how far ahead, a signed time may be.
WINDOW = timedelta(minutes=5)
_LONGEST_JWT = 4000
# Where an HMAC stands with most senders.
_HEADERS = ("x-signature", "x-signature-256", "x-webhook-signature", "x-hub-signature-256", "signature")


def hmac_sha256(secret: SecretStr, content: bytes, *, form: Literal["hex", "base64"]) -> str:
    """The signature, as lower-case hexadecimal digits or in base64."""
    raw = hmac.new(secret.get_secret_value().encode(), content, hashlib.sha256).digest()
    return raw.hex() if form == "hex" else base64.b64encode(raw).decode()


def same(given: str, expected: str) -> None:
    """Raises Refused (403) unless both are the same, in a time that says nothing of where they differ."""
    if not hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode()):
        raise bad()


def bearer(authorization: str, secret: SecretStr) -> None:
    """Raises Refused (403) unless the header `Authorization` carries the secret."""
    scheme, _, given = authorization.partition(" ")
    same(given.strip() if scheme.lower() == "bearer" else "", secret.get_secret_value())


def bearer_or_hmac(headers: Mapping[str, str], body: bytes, secret: SecretStr, received_at: datetime) -> None:
    """Raises Refused (403) unless the request carries the secret as its bearer token, or is signed with it.

    The signature is `X-Signature: sha256=` and the HMAC-SHA256, in hexadecimal digits, of the body; with
    `X-Timestamp`, in seconds since 1970, of that, a point and the body, and then it must be of now.
    """
    given = headers.get("x-signature")
    if given is None:
        bearer(headers.get("authorization", ""), secret)
        return
    at = headers.get("x-timestamp")
    content = body if at is None else at.encode("latin-1", "replace") + b"." + body
    same(given.removeprefix("sha256="), hmac_sha256(secret, content, form="hex"))
    if at is not None:
        fresh(float(at) if at.isascii() and at.isdigit() and len(at) < 12 else 0.0, received_at)


def plain_hmac(headers: Mapping[str, str], body: bytes, secret: SecretStr, *, header: str | None) -> None:
    """Raises Refused (403) unless the HMAC-SHA256 of the body stands in this header, or in one of the usual
    ones: in hexadecimal digits, with `sha256=` before them or without, or in base64."""
    names = (header.lower(),) if header else _HEADERS
    given = next((headers[name] for name in names if headers.get(name)), "").removeprefix("sha256=")
    expected = hmac_sha256(secret, body, form="hex")
    if not hmac.compare_digest(given.lower().encode("utf-8", "replace"), expected.encode()):
        same(given, hmac_sha256(secret, body, form="base64"))


def standard_webhooks(
    headers: Mapping[str, str], body: bytes, secret: SecretStr, received_at: datetime
) -> None:
    """Raises Refused (403) unless one of the signatures of Standard Webhooks fits, and was made lately."""
    key, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    seconds = float(at) if at.isascii() and at.isdigit() and len(at) < 12 else 0.0
    try:
        content = body.decode()
    except UnicodeDecodeError:
        raise bad() from None
    # The library's own check looks at the machine's clock and not at when the delivery came.
    moment = datetime.fromtimestamp(seconds, UTC)
    expected = Webhook(secret.get_secret_value()).sign(key, moment, content)
    given = headers.get("webhook-signature", "").split(" ")[:10]
    fits = [hmac.compare_digest(each.encode("utf-8", "replace"), expected.encode()) for each in given]
    if not key or not any(fits):
        raise bad()
    fresh(seconds, received_at)


def basic(name: str, password: SecretStr) -> dict[str, str]:
    """The header with which we sign in elsewhere."""
    raw = f"{name}:{password.get_secret_value()}".encode()
    return {"Authorization": f"Basic {base64.b64encode(raw).decode()}"}


def spellings(url: str) -> tuple[str, str]:
    """The address with its port and without: proxies differ on whether the standard one is part of it."""
    parts = urlsplit(url)
    if parts.port:
        return url, urlunsplit(parts._replace(netloc=parts.netloc.rpartition(":")[0]))
    standard = 443 if parts.scheme == "https" else 80
    return url, urlunsplit(parts._replace(netloc=f"{parts.netloc}:{standard}"))


def sha256(content: bytes) -> str:
    """The digest in lower-case hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def jwt_claims(token: str, secret: SecretStr) -> dict[str, Any]:
    """What a JWT of ours to check (HS256) says. Raises Refused (403) unless the secret signed it."""
    try:
        claims: dict[str, Any] = jwt.decode(
            token[:_LONGEST_JWT],
            secret.get_secret_value(),
            algorithms=["HS256"],
            # Who is meant by `aud`, and how old is too old, each service says in its own way.
            options={"verify_aud": False, "verify_iat": False},
        )
    except jwt.InvalidTokenError:
        raise bad() from None
    return claims


def application_jwt(name: str, private_key: SecretStr, at: datetime) -> dict[str, str]:
    """The header with which an application signs in for ten minutes (RS256). Raises Unreadable."""
    claims = {"application_id": name, "iat": int(at.timestamp()), "exp": int(at.timestamp()) + 600}
    try:
        token = jwt.encode({**claims, "jti": new_id()}, private_key.get_secret_value(), "RS256")
    except (ValueError, TypeError, jwt.PyJWTError):
        raise Unreadable("the private key is none") from None
    return {"Authorization": f"Bearer {token}"}


def fresh(seconds: float, received_at: datetime) -> None:
    """Raises Refused (403) where the signed time, in seconds since 1970, lies outside the window."""
    if not abs(received_at.timestamp() - seconds) <= WINDOW.total_seconds():
        raise Refused("the signed time is too old or too far ahead", status=403, reason="stale")


def bad() -> Refused:
    """What is said to whoever did not sign as the service would."""
    return Refused("the signature does not fit", status=403, reason="bad_signature")
