"""Any JSON, as the form's mapping reads it; signed as Standard Webhooks describe, with a plain HMAC, or not.

Signature: standardwebhooks.com, the specification and its own library.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from standardwebhooks import Webhook

from core.errors import Refused, Unreadable
from intake import signatures
from intake.delivery import Delivery
from intake.forms import json_body
from intake.forms.answers import Answers
from intake.forms.body import read
from intake.forms.service import FormService, Part, ServiceSettings


class GenericSettings(ServiceSettings):
    """Without a secret anybody who knows the address may post, as to any form."""

    secret: SecretStr | None = Field(None, min_length=1, description="What the sender signs with")
    scheme: Literal["standard-webhooks", "hmac-sha256"] = Field(
        "standard-webhooks", description="How it signs"
    )
    header: str = Field(
        "x-signature", pattern=r"^[A-Za-z0-9-]{1,60}$", description="For hmac-sha256: where it stands"
    )

    @model_validator(mode="after")
    def _key_fits(self) -> Self:
        if self.secret is not None and self.scheme == "standard-webhooks":
            try:
                Webhook(self.secret.get_secret_value())
            except ValueError:
                raise ValueError("a secret of Standard Webhooks is 'whsec_' and base64") from None
        return self


class Generic(FormService[GenericSettings]):
    """One post is one submission."""

    name = "generic"
    label = "Any JSON"
    aliases = ("json",)
    settings = GenericSettings

    def verify(self, delivery: Delivery, settings: GenericSettings) -> None:
        """Raises Refused unless the secret signed this body; with Standard Webhooks, lately."""
        if settings.secret is None:
            return
        if settings.scheme == "hmac-sha256":
            expected = signatures.hmac_sha256(settings.secret, delivery.body, form="hex")
            given = delivery.headers.get(settings.header.lower(), "")
            signatures.same(given.removeprefix("sha256="), expected)
            return
        signatures.standard_webhooks(delivery.headers, delivery.body, settings.secret, delivery.received_at)

    def parts(self, delivery: Delivery, settings: GenericSettings) -> tuple[Part, ...]:
        """By `webhook-id`, which is signed and the same at every try, else by its content."""
        json_body.document(delivery.body)
        signed = settings.secret is not None and settings.scheme == "standard-webhooks"
        key = delivery.headers.get("webhook-id", "") if signed else ""
        return (Part(key),) if key else super().parts(delivery, settings)

    def read(self, delivery: Delivery, settings: GenericSettings) -> Answers:
        """Every value under its path; what the mapping does not name is guessed as for any form."""
        said = json_body.understood(delivery.body)
        try:
            posted = read(delivery.body, "application/json")
        except Refused as error:
            raise Unreadable(str(error)) from None
        return Answers.of(posted, document=said)
