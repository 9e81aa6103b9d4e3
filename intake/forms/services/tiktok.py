"""TikTok lead generation: leads handed on by a webhook.

Unconfirmed: TikTok's own documentation of the payload and its signature was not to be had. So it is taken
only with a secret of ours, as the header `X-Portaria-Secret` or as `secret` in the address, and fields are
found in any of the shapes that connectors hand on.
"""

from __future__ import annotations

import hmac
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pydantic import Field, SecretStr

from core.errors import Unreadable
from intake import signatures
from intake.delivery import Delivery
from intake.forms import json_body
from intake.forms.answers import Answer, Answers
from intake.forms.moments import of_epoch
from intake.forms.service import FormService, Part, ServiceSettings

_NAMES = ("field_name", "name", "key", "question", "label")
_VALUES = ("field_value", "value", "values", "answer")
_LISTS = ("field_data", "fields", "answers", "changes", "user_info", "questions")


class TikTokSettings(ServiceSettings):
    """What the sender is known by."""

    secret: SecretStr = Field(min_length=12, description="A long random text of your own")


class TikTok(FormService[TikTokSettings]):
    """One post is one lead."""

    name = "tiktok"
    label = "TikTok lead generation"
    settings = TikTokSettings
    configured = True

    def verify(self, delivery: Delivery, settings: TikTokSettings) -> None:
        """Raises Refused unless our own secret came with it."""
        asked = parse_qs(urlsplit(delivery.url).query).get("secret", [""])[0]
        given = (delivery.headers.get("x-portaria-secret") or asked).encode("utf-8", "replace")
        if not hmac.compare_digest(given, settings.secret.get_secret_value().encode()):
            raise signatures.bad()

    def parts(self, delivery: Delivery, settings: TikTokSettings) -> tuple[Part, ...]:
        """The lead by its id, where one is told."""
        said = _lead(json_body.document(delivery.body))
        key = json_body.text(said, "lead_id") or json_body.text(said, "id")
        return (Part(key),) if key else super().parts(delivery, settings)

    def read(self, delivery: Delivery, settings: TikTokSettings) -> Answers:
        """Fields as a list of names and values, or else as an object."""
        whole = json_body.understood(delivery.body)
        said = _lead(whole)
        rows = [row for name in _LISTS for row in json_body.items(said, name)]
        items = [a for row in rows if (a := _answer(row)) is not None]
        if not items:
            inner = next((v for n in _LISTS if isinstance(v := said.get(n), dict)), said)
            items = [
                Answer(k, (v,), label=k.replace("_", " ")) for k, v in inner.items() if isinstance(v, str)
            ]
        if not items:
            raise Unreadable("there are no fields in it")
        about = (
            "lead_id",
            "form_id",
            "page_id",
            "ad_id",
            "ad_name",
            "campaign_id",
            "campaign_name",
            "advertiser_id",
        )
        return Answers(
            items=tuple(a for a in items if a.name not in about),
            at=of_epoch(said.get("create_time") or said.get("created_time")),
            extra={name: json_body.text(said, name) for name in about},
            document=whole,
        )


def _lead(said: dict[str, Any]) -> dict[str, Any]:
    """The lead itself, which some hand on inside of something."""
    for name in ("entry", "data", "lead", "payload", "content"):
        inner = said.get(name)
        if isinstance(inner, list) and len(inner) == 1:
            inner = inner[0]
        if isinstance(inner, dict):
            return inner
    return said


def _answer(row: dict[str, Any]) -> Answer | None:
    name = next((found for n in _NAMES if (found := json_body.text(row, n))), "")
    value = next((row[n] for n in _VALUES if n in row), None)
    values = value if isinstance(value, list) else [value]
    plain = tuple(v for v in values if isinstance(v, str | int | float | bool))
    return Answer(name, plain, label=name.replace("_", " ")) if name and plain else None
