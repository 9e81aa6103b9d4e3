"""Tally: the webhook of a form's responses.

Signature and shape: Tally's help centre, 'Webhooks'. Chosen answers come as the options' ids, and their words
beside them. Retries carry the same response id.
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

_MEANINGS = {"INPUT_EMAIL": "email", "INPUT_PHONE_NUMBER": "phone", "TEXTAREA": "message"}


class TallySettings(ServiceSettings):
    """Without a secret anybody who knows the address may post, as to any form."""

    secret: SecretStr | None = Field(None, min_length=1, description="The webhook's signing secret")


class Tally(FormService[TallySettings]):
    """One webhook is one response."""

    name = "tally"
    label = "Tally"
    settings = TallySettings

    def verify(self, delivery: Delivery, settings: TallySettings) -> None:
        """Raises Refused unless the secret signed this body."""
        if settings.secret is not None:
            expected = signatures.hmac_sha256(settings.secret, delivery.body, form="base64")
            signatures.same(delivery.headers.get("tally-signature", ""), expected)

    def parts(self, delivery: Delivery, settings: TallySettings) -> tuple[Part, ...]:
        """The response by its id."""
        said = json_body.document(delivery.body)
        key = json_body.text(said, "data", "responseId") or json_body.text(said, "eventId")
        return (Part(key),) if key else super().parts(delivery, settings)

    def read(self, delivery: Delivery, settings: TallySettings) -> Answers:
        """Each field with its label; a box that belongs to a question above it is left out."""
        said = json_body.understood(delivery.body)
        if json_body.text(said, "eventType") != "FORM_RESPONSE":
            raise Ignored("only responses are enquiries")
        if not isinstance(json_body.at(said, "data", "fields"), list):
            raise Unreadable("there are no 'data.fields' in it")
        return Answers(
            items=tuple(_answer(f) for f in json_body.items(said, "data", "fields") if not _of_another(f)),
            at=moment(json_body.text(said, "data", "createdAt")),
            extra={
                "form": json_body.text(said, "data", "formName"),
                "id": json_body.text(said, "data", "responseId"),
            },
            document=said,
        )


def _of_another(field: Mapping[str, Any]) -> bool:
    # Each checkbox comes again as a field of its own, after the question with all of them.
    return json_body.text(field, "type") == "CHECKBOXES" and isinstance(field.get("value"), bool)


def _answer(field: Mapping[str, Any]) -> Answer:
    label, kind, value = json_body.text(field, "label"), json_body.text(field, "type"), field.get("value")
    words = _words(field, "options")
    if kind == "HIDDEN_FIELDS":
        return Answer(label, json_body.plain(value))
    if isinstance(value, dict):  # a matrix: what was chosen of the columns, for each row
        rows, words = _words(field, "rows"), _words(field, "columns")
        chosen = {
            rows.get(r, r): [words.get(str(c), str(c)) for c in json_body.plain(cs)]
            for r, cs in value.items()
        }
        values: tuple[Any, ...] = tuple(f"{row}: {', '.join(cs)}" for row, cs in chosen.items())
    else:
        # Of an upload or a signature, its address.
        links = tuple(url for file in json_body.items(field, "value") if (url := json_body.text(file, "url")))
        values = links or tuple(words.get(v, v) if isinstance(v, str) else v for v in json_body.plain(value))
    if not label and kind == "CHECKBOXES" and len(words) == 1:
        # A single box without a question above it: what stands beside it is the question.
        label, values = next(iter(words.values())), (bool(values),)
    return Answer(json_body.text(field, "key"), values, label=label, meaning=_MEANINGS.get(kind))


def _words(field: Mapping[str, Any], of: str) -> dict[str, str]:
    return {json_body.text(o, "id"): json_body.text(o, "text") for o in json_body.items(field, of)}
