"""Google Forms: what the script in our adapters' document posts for each answer.

Google sends nothing by itself. The shape is ours: `namedValues` as a sheet's trigger has them
(developers.google.com, 'Event objects'), or `answers` of question and answer. With a secret the script
signs the body.
"""

from __future__ import annotations

from pydantic import Field, SecretStr

from core.errors import Unreadable
from intake import signatures
from intake.delivery import Delivery
from intake.forms import json_body
from intake.forms.answers import Answer, Answers
from intake.forms.body import JSON
from intake.forms.moments import moment
from intake.forms.service import FormService, Part, ServiceSettings


class GoogleFormsSettings(ServiceSettings):
    """The same secret as in the script."""

    secret: SecretStr | None = Field(None, min_length=1, description="What the script signs with")


class GoogleForms(FormService[GoogleFormsSettings]):
    """One post is one response."""

    name = "google-forms"
    label = "Google Forms"
    aliases = ("gforms",)
    settings = GoogleFormsSettings
    content_types = (JSON,)

    def verify(self, delivery: Delivery, settings: GoogleFormsSettings) -> None:
        """Raises Refused unless the script's secret signed this body."""
        if settings.secret is not None:
            expected = signatures.hmac_sha256(settings.secret, delivery.body, form="hex")
            signatures.same(delivery.headers.get("x-portaria-signature", ""), f"sha256={expected}")

    def parts(self, delivery: Delivery, settings: GoogleFormsSettings) -> tuple[Part, ...]:
        """The response by its id, where the script could tell it."""
        key = json_body.text(json_body.document(delivery.body), "responseId")
        return (Part(key),) if key else super().parts(delivery, settings)

    def read(self, delivery: Delivery, settings: GoogleFormsSettings) -> Answers:
        """Questions are the names; a sheet has each answer as a list."""
        said = json_body.understood(delivery.body)
        found = json_body.at(said, "namedValues")
        pairs = list(found.items()) if isinstance(found, dict) else []
        pairs += [(json_body.text(a, "question"), a.get("answer")) for a in json_body.items(said, "answers")]
        # The address that the form collects by itself is no question.
        pairs += [("email", said.get("email"))]
        if len(pairs) == 1:
            raise Unreadable("there are neither 'namedValues' nor 'answers' in it")
        given = [(name, tuple(v for v in json_body.plain(value) if v != "")) for name, value in pairs]
        return Answers(
            items=tuple(Answer(name, values, label=name) for name, values in given if values),
            at=moment(json_body.text(said, "timestamp")),
            extra={"form": json_body.text(said, "formTitle"), "id": json_body.text(said, "responseId")},
            document=said,
        )
