"""Typeform: the webhook of a form's responses.

Signature and shape: Typeform's developer documentation, 'Secure your webhooks' and 'Example payload'. Nothing
signed tells the time, so a response is known again by its token.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, SecretStr

from core.errors import Ignored, Unreadable
from intake import signatures
from intake.delivery import Delivery
from intake.forms import json_body
from intake.forms.answers import Answer, Answers
from intake.forms.moments import moment
from intake.forms.service import FormService, Part, ServiceSettings

_MEANINGS = {"email": "email", "phone_number": "phone", "long_text": "message", "legal": "consent"}


class TypeformSettings(ServiceSettings):
    """Without a secret anybody who knows the address may post, as to any form."""

    secret: SecretStr | None = Field(None, min_length=1, description="The webhook's secret")


class Typeform(FormService[TypeformSettings]):
    """One webhook is one response."""

    name = "typeform"
    label = "Typeform"
    settings = TypeformSettings

    def verify(self, delivery: Delivery, settings: TypeformSettings) -> None:
        """Raises Refused unless the secret signed this body."""
        if settings.secret is not None:
            expected = signatures.hmac_sha256(settings.secret, delivery.body, form="base64")
            signatures.same(delivery.headers.get("typeform-signature", ""), f"sha256={expected}")

    def parts(self, delivery: Delivery, settings: TypeformSettings) -> tuple[Part, ...]:
        """The response by its token; a partial one and the complete one differ."""
        said = json_body.document(delivery.body)
        token = json_body.text(said, "form_response", "token") or json_body.text(said, "event_id")
        if not token:
            return super().parts(delivery, settings)
        return (Part(f"{json_body.text(said, 'event_type')}:{token}"[:200]),)

    def read(self, delivery: Delivery, settings: TypeformSettings) -> Answers:
        """The questions' titles come with the definition, hidden fields beside the answers."""
        said = json_body.understood(delivery.body)
        if json_body.text(said, "event_type") != "form_response":
            raise Ignored("only complete responses are enquiries")
        response = json_body.at(said, "form_response")
        if not isinstance(response, dict):
            raise Unreadable("there is no 'form_response' in it")
        if not isinstance(response.get("answers"), list):
            raise Unreadable("there are no 'answers' in it")
        asked = json_body.items(response, "definition", "fields")
        asked += [f for group in asked for f in json_body.items(group, "properties", "fields")]
        titles = {json_body.text(f, "id"): json_body.text(f, "title") for f in asked}
        answers = [_answer(a, titles) for a in json_body.items(response, "answers")]
        hidden = json_body.at(response, "hidden")
        answers += [
            Answer(k, json_body.plain(v)) for k, v in (hidden if isinstance(hidden, dict) else {}).items()
        ]
        return Answers(
            items=tuple(answers),
            at=moment(json_body.text(response, "submitted_at")),
            extra={
                "form": json_body.text(response, "definition", "title"),
                "id": json_body.text(response, "token"),
            },
            document=said,
        )


def _answer(answer: Mapping[str, Any], titles: Mapping[str, str]) -> Answer:
    field = json_body.at(answer, "field") or {}
    kind = json_body.text(answer, "type")
    value = answer.get(kind)
    if isinstance(value, dict):  # choice, choices, payment, appointment
        parts = ("labels", "label", "other", "amount", "currency", "scheduled_at")
        value = [value[part] for part in parts if part in value]
    name = json_body.text(field, "ref") or json_body.text(field, "id")
    return Answer(
        name,
        json_body.plain(value),
        label=titles.get(json_body.text(field, "id"), ""),
        meaning=_MEANINGS.get(json_body.text(field, "type")) or _MEANINGS.get(kind),
    )
