"""Endpoints that are told what happens, as the workspace file says it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from rules.vocabulary import TRIGGERS, nearest

_SHORTEST = 16
_PREFIX = "whsec_"


#: What is told outside beside the triggers of rules.
OUTSIDE = {
    "contact.created": "A contact was made",
    "contact.updated": "A contact's fields were changed",
    "contact.merged": "Another contact became part of this one",
    "contact.split": "Two contacts that were one are two again",
    "contact.erased": "A contact's data was erased",
    "contact.commented": "Somebody remarked something on a contact",
    "contact.deleted": "A contact was deleted",
    "company.created": "A company was made",
    "company.updated": "A company's fields were changed",
    "company.merged": "Another company became part of this one",
    "company.split": "Two companies that were one are two again",
    "company.commented": "Somebody remarked something on a company",
    "company.deleted": "A company was deleted",
    "deal.updated": "A deal's fields or lines were changed",
    "deal.commented": "Somebody remarked something on a deal",
    "deal.deleted": "A deal was deleted",
    "lead.split": "Two leads that were one are two again",
    "lead.erased": "The data of a lead's person was erased",
    "lead.commented": "Somebody remarked something on a lead",
}


class WebhookSettings(BaseModel):
    """An endpoint, signed to as Standard Webhooks describes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", description="Short name")
    name: str = Field("", description="What people call it")
    url: str = Field(max_length=2000, description="Where events are posted to")
    events: list[str] = Field(
        default_factory=lambda: ["*"],
        min_length=1,
        max_length=100,
        description="Triggers such as lead.created, lead.* or *",
    )
    secret: SecretStr = Field(description="whsec_ and at least 16 bytes in Base64; signs each message")
    previous_secret: SecretStr | None = Field(
        None, description="The one before it, which signs too until receivers know the new one"
    )

    @field_validator("url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        if urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname:
            raise ValueError(f"'{value}' is no http or https address")
        return value

    @field_validator("events")
    @classmethod
    def _known(cls, value: list[str]) -> list[str]:
        for event in value:
            known = [*TRIGGERS, *OUTSIDE]
            if event != "*" and not any(covers(event, kind) for kind in known):
                raise ValueError(f"'{event}' is no event{nearest(event, known)}")
        return value

    @field_validator("secret", "previous_secret")
    @classmethod
    def _base64(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return value
        try:
            key = base64.b64decode(value.get_secret_value().removeprefix(_PREFIX), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) < _SHORTEST:
            raise ValueError("needs whsec_ and at least 16 bytes in Base64: openssl rand -base64 32")
        return value

    @property
    def secrets(self) -> list[str]:
        """What signs, the newest first."""
        found = (self.secret, self.previous_secret)
        return [s.get_secret_value() for s in found if s is not None]


def covers(pattern: str, kind: str) -> bool:
    """Whether a pattern such as `lead.*` names this event."""
    return pattern in ("*", kind) or (pattern.endswith(".*") and kind.startswith(pattern[:-1]))


def wanting(endpoints: Sequence[Mapping[str, Any]], kind: str) -> list[str]:
    """The keys of the endpoints, as stored, that want this event."""
    return [
        str(endpoint["key"])
        for endpoint in endpoints
        if any(covers(pattern, kind) for pattern in endpoint.get("events") or ("*",))
    ]
