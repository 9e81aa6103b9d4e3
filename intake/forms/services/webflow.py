"""Webflow: the `form_submission` webhook.

Signature: Webflow's developer documentation, 'Working with webhooks', and its SDK: hex HMAC-SHA256 over the
time in milliseconds, a colon and the body. Webhooks made in the dashboard are not signed.
"""

from __future__ import annotations

from pydantic import Field, SecretStr

from core.errors import Ignored, Unreadable
from intake import signatures
from intake.delivery import Delivery
from intake.forms import json_body
from intake.forms.answers import Answer, Answers
from intake.forms.moments import moment
from intake.forms.service import FormService, Part, ServiceSettings


class WebflowSettings(ServiceSettings):
    """Without a secret, as for webhooks made in the dashboard, anybody who knows the address may post."""

    secret: SecretStr | None = Field(None, min_length=1, description="The webhook's or the app's secret")


class Webflow(FormService[WebflowSettings]):
    """One webhook is one submission."""

    name = "webflow"
    label = "Webflow"
    settings = WebflowSettings

    def verify(self, delivery: Delivery, settings: WebflowSettings) -> None:
        """Raises Refused unless the secret signed this body, and lately."""
        if settings.secret is None:
            return
        told = delivery.headers.get("x-webflow-timestamp", "")
        signed = told.encode("utf-8", "replace") + b":" + delivery.body
        expected = signatures.hmac_sha256(settings.secret, signed, form="hex")
        signatures.same(delivery.headers.get("x-webflow-signature", ""), expected)
        if not told.isascii() or not told.isdecimal() or len(told) > 16:
            raise signatures.bad()
        signatures.fresh(int(told) / 1000, delivery.received_at)

    def parts(self, delivery: Delivery, settings: WebflowSettings) -> tuple[Part, ...]:
        """The submission by its id."""
        key = json_body.text(json_body.document(delivery.body), "payload", "id")
        return (Part(key),) if key else super().parts(delivery, settings)

    def read(self, delivery: Delivery, settings: WebflowSettings) -> Answers:
        """The labels are the names."""
        said = json_body.understood(delivery.body)
        if json_body.text(said, "triggerType") not in ("form_submission", ""):
            raise Ignored("only submissions are enquiries")
        data = json_body.at(said, "payload", "data")
        if not isinstance(data, dict):
            raise Unreadable("there is no 'payload.data' in it")
        plain = {k: v for k, v in data.items() if isinstance(v, str | int | float | bool)}
        return Answers(
            items=tuple(Answer(name, (value,), label=name) for name, value in plain.items()),
            at=moment(json_body.text(said, "payload", "submittedAt")),
            extra={
                "form": json_body.text(said, "payload", "name"),
                "id": json_body.text(said, "payload", "id"),
            },
            document=said,
        )
