"""What other programs tell by a webhook and that is no enquiry: an order was paid, a trial ends.

One JSON object is one event. It makes no lead; rules `on: webhook.received` see it, and the person's lead,
deal or contact where the settings say whose address or number is in it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import islice
from typing import Any, ClassVar, Literal, NoReturn, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from standardwebhooks import Webhook

from core.errors import Unreadable
from core.ids import digest
from crm.submission import Notice
from intake import json_path, signatures
from intake.adapter import Adapter, Way
from intake.delivery import Delivery
from intake.json_path import JsonPath
from intake.text import clean, one_line
from models.source import Channel

JSON = "application/json"
#: What of a document is kept for rules.
LONGEST_TEXT, MOST_ITEMS, MOST_NAMES, DEEPEST, MOST_VALUES = 10_000, 100, 200, 6, 2_000
_LONGEST_KIND = 100
# Numbers beyond these are no whole numbers to most readers, and to some databases none at all.
_LARGEST = 2**63 - 1


class Person(BaseModel):
    """Where it stands whom an event is about."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    email: JsonPath | None = Field(None, description="Their e-mail address, as a JSONPath")
    phone: JsonPath | None = Field(None, description="Their telephone number, as a JSONPath")


class HookSettings(Way):
    """A program that tells us what happens there."""

    secret: SecretStr = Field(min_length=8, description="What the sender signs with, or its bearer token")
    scheme: Literal["hmac-sha256", "standard-webhooks", "bearer"] = Field(
        "hmac-sha256", description="How it proves who it is: hmac-sha256, standard-webhooks or bearer"
    )
    header: str | None = Field(
        None, pattern=r"^[A-Za-z0-9-]{1,60}$", description="For hmac-sha256: the one header that counts"
    )
    id: JsonPath | None = Field(None, description="Where each event's own id stands; else it is its content")
    type: JsonPath = Field("$.type", description="Where the kind of event stands")
    person: Person = Field(default_factory=Person, description="Where it stands whom it is about")

    @model_validator(mode="after")
    def _key_fits(self) -> Self:
        if self.scheme == "standard-webhooks":
            try:
                Webhook(self.secret.get_secret_value())
            except ValueError:
                raise ValueError("a secret of Standard Webhooks is 'whsec_' and base64") from None
        return self


class Hook(Adapter[HookSettings]):
    """Any JSON object."""

    name = "hook"
    channel = Channel.WEBHOOK
    settings = HookSettings
    content_types: ClassVar[tuple[str, ...]] = (JSON,)

    def verify(self, delivery: Delivery, settings: HookSettings) -> None:
        """Raises Refused unless the secret signed this body, or came with it."""
        if settings.scheme == "bearer":
            signatures.bearer(delivery.headers.get("authorization", ""), settings.secret)
        elif settings.scheme == "standard-webhooks":
            signatures.standard_webhooks(
                delivery.headers, delivery.body, settings.secret, delivery.received_at
            )
        else:
            signatures.plain_hmac(delivery.headers, delivery.body, settings.secret, header=settings.header)

    def dedupe_key(self, delivery: Delivery, settings: HookSettings) -> str:
        """By its own id, by `webhook-id` where that is signed, else by its content."""
        if settings.scheme == "standard-webhooks" and (key := delivery.headers.get("webhook-id")):
            return digest("webhook-id", key)
        found = None
        if settings.id is not None:
            try:
                found = _said(_document(delivery.body), settings.id)
            except Unreadable:  # it is kept as failed, with its words
                found = None
        return digest("id", found) if found else digest(delivery.body)

    def parse(self, delivery: Delivery, settings: HookSettings) -> Notice:
        """What it tells. Raises Unreadable for what is no JSON object."""
        document = _document(delivery.body)
        person = settings.person
        return Notice(
            kind=one_line(_said(document, settings.type) or "")[:_LONGEST_KIND],
            body=_Bounded().of(document),
            email=_said(document, person.email) if person.email is not None else None,
            phone=_said(document, person.phone) if person.phone is not None else None,
        )


def _document(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise Unreadable("the body is no JSON") from None
    if not isinstance(found, dict):
        raise Unreadable("the body is no JSON object")
    return found


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number of JSON's")


def _said(document: Mapping[str, Any], path: str) -> str | None:
    """The text or number there, as a text."""
    found = json_path.compiled(path).match(document)
    value = found.obj if found is not None else None
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return str(value)[:1000].strip() or None
    return None


class _Bounded:
    """Copies a document as far as its bounds go; what lies beyond is left out."""

    def __init__(self) -> None:
        self._left = MOST_VALUES

    def of(self, document: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
        kept = {}
        for name, value in islice(document.items(), MOST_NAMES):
            if self._left <= 0:
                break
            kept[clean(name)[:200]] = self._value(value, depth + 1)
        return kept

    def _value(self, value: Any, depth: int) -> Any:
        self._left -= 1
        if isinstance(value, str):
            return clean(value[:LONGEST_TEXT])
        if isinstance(value, float):
            return value if abs(value) <= 1e300 else str(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return value if abs(value) <= _LARGEST else str(value)[:100]
        if isinstance(value, dict):
            return self.of(value, depth) if depth < DEEPEST else {}
        if isinstance(value, list):
            some = value[:MOST_ITEMS] if depth < DEEPEST else []
            return [self._value(item, depth + 1) for item in some if self._left > 0]
        return value
