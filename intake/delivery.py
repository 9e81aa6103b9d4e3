"""One inbound delivery, raw and untrusted, as it came and as the journal keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

# Headers that an adapter may need; the rest (cookies, credentials of the site) is not kept.
_KEPT_HEADERS = frozenset(
    {"content-type", "user-agent", "referer", "origin", "accept-language", "idempotency-key"}
)


# What stands where a secret stood.
_BLANK = "(secret)"
#: The fact that a person has released the event from quarantine.
RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Delivery:
    """Bytes and what surrounded them.

    `url` is the public address, from configuration and not from the request. Header names are in
    lower case. `facts` is what a channel knows beside that (a mail's UID and folder, for example).
    """

    body: bytes
    content_type: str
    received_at: datetime
    method: str = "POST"
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    remote_address: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    def without(self, secret: str) -> Delivery:
        """The delivery with a secret of the sender's made unreadable, wherever it stands."""
        if not secret:
            return self
        return replace(
            self,
            body=self.body.replace(secret.encode(), _BLANK.encode()),
            url=self.url.replace(quote(secret, safe=""), _BLANK).replace(secret, _BLANK),
        )

    def envelope(self) -> dict[str, Any]:
        """What the journal keeps of the surroundings."""
        return {
            "method": self.method,
            "url": self.url,
            "headers": {k: v for k, v in self.headers.items() if k in _KEPT_HEADERS},
            "remote_address": self.remote_address,
            "facts": dict(self.facts),
        }

    @classmethod
    def restored(
        cls, body: bytes, content_type: str, received_at: datetime, envelope: Mapping[str, Any]
    ) -> Delivery:
        """The delivery as it came out of the journal."""
        return cls(
            body=body,
            content_type=content_type,
            received_at=received_at,
            method=envelope["method"],
            url=envelope["url"],
            headers=envelope["headers"],
            remote_address=envelope["remote_address"],
            facts=envelope["facts"],
        )
