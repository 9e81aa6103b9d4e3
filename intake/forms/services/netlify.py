"""Netlify: the notification of a form's submission, plain or as its function gets it, under `payload`.

Shape: docs.netlify.com, 'Form notifications', and payloads of public functions. The signature is a JWS (RFC
7515) with HS256, whose `sha256` is the body's; Netlify's documentation, 'JWS signature'.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from pydantic import Field, SecretStr

from core.errors import Unreadable
from intake import signatures
from intake.delivery import Delivery
from intake.forms import json_body
from intake.forms.answers import Answer, Answers
from intake.forms.moments import moment
from intake.forms.service import FormService, Part, ServiceSettings

_LONGEST = 4000
# What Netlify adds to the visitor's fields.
_ABOUT = frozenset({"ip", "user_agent", "referrer"})


class NetlifySettings(ServiceSettings):
    """Without a secret anybody who knows the address may post, as to any form."""

    secret: SecretStr | None = Field(None, min_length=1, description="The notification's JWS secret token")


class Netlify(FormService[NetlifySettings]):
    """One notification is one submission."""

    name = "netlify"
    label = "Netlify"
    settings = NetlifySettings

    def verify(self, delivery: Delivery, settings: NetlifySettings) -> None:
        """Raises Refused unless Netlify signed the digest of this body."""
        if settings.secret is None:
            return
        token = delivery.headers.get("x-webhook-signature", "")[:_LONGEST]
        signed, _, signature = token.rpartition(".")
        expected = signatures.hmac_sha256(settings.secret, signed.encode("utf-8", "replace"), form="base64")
        signatures.same(signature, expected.rstrip("=").translate(str.maketrans("+/", "-_")))
        head, _, claims = signed.partition(".")
        if _part(head).get("alg") != "HS256" or _part(claims).get("iss") != "netlify":
            raise signatures.bad()
        signatures.same(str(_part(claims).get("sha256", "")), hashlib.sha256(delivery.body).hexdigest())

    def parts(self, delivery: Delivery, settings: NetlifySettings) -> tuple[Part, ...]:
        """The submission by its id."""
        key = json_body.text(_payload(json_body.document(delivery.body)), "id")
        return (Part(key),) if key else super().parts(delivery, settings)

    def read(self, delivery: Delivery, settings: NetlifySettings) -> Answers:
        """All fields, in their order where it is told; the page is where the visitor came from."""
        said = _payload(json_body.understood(delivery.body))
        data = json_body.at(said, "data")
        if not isinstance(data, dict):
            raise Unreadable("there is no 'data' in it")
        titles = {json_body.text(f, "name"): json_body.text(f, "title") for f in _ordered(said)}
        plain = {k: v for k, v in data.items() if k not in _ABOUT and isinstance(v, str | int | float | bool)}
        return Answers(
            items=tuple(Answer(k, (v,), label=titles.get(k, "")) for k, v in plain.items()),
            at=moment(json_body.text(said, "created_at")),
            page=json_body.text(data, "referrer"),
            extra={
                "form": json_body.text(said, "form_name"),
                "id": json_body.text(said, "id"),
                "ip": json_body.text(data, "ip"),
            },
            document=said,
        )


def _ordered(said: dict[str, Any]) -> list[dict[str, Any]]:
    return json_body.items(said, "ordered_human_fields")


def _payload(said: dict[str, Any]) -> dict[str, Any]:
    inner = said.get("payload")
    return inner if isinstance(inner, dict) else said


def _part(text: str) -> dict[str, Any]:
    try:
        found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
