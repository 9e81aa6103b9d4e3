"""LinkedIn Lead Gen Forms: the notification of a lead, whose answers are fetched by the Lead Sync API.

Handshake and signature: Microsoft Learn, 'LinkedIn webhooks validation'; the prefix `hmacsha256=` is part
of what is signed and not of the header. Answers: Microsoft Learn, 'Lead Sync API'. Deletions are notified
too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from pydantic import Field, SecretStr

from core.errors import Ignored, Unreadable
from intake import signatures
from intake.delivery import Delivery
from intake.errand import LOOKED_UP, Lookup
from intake.forms import json_body
from intake.forms.answers import Answer, Answers
from intake.forms.moments import of_epoch
from intake.forms.service import FormService, Part, Reply, ServiceSettings

_API = "https://api.linkedin.com/rest/leadFormResponses"
_VERSION = "202601"
_URN = re.compile(r"urn:li:leadGenFormResponse:([A-Za-z0-9_-]{1,100})")
_CODE = re.compile(r"[0-9A-Za-z-]{1,100}")
_MEANINGS = {
    "FIRST_NAME": "first_name",
    "LAST_NAME": "last_name",
    "EMAIL": "email",
    "WORK_EMAIL": "email",
    "PHONE_NUMBER": "phone",
    "WORK_PHONE_NUMBER": "phone",
    "COMPANY_NAME": "company",
}


class LinkedInSettings(ServiceSettings):
    """Of the app that has the webhook."""

    client_secret: SecretStr = Field(min_length=1, description="The app's client secret, which signs")
    access_token: SecretStr | None = Field(
        None, min_length=1, description="A token to fetch the answers with"
    )


class LinkedIn(FormService[LinkedInSettings]):
    """One notification is one lead."""

    name = "linkedin"
    label = "LinkedIn Lead Gen Forms"
    settings = LinkedInSettings
    configured = True

    def verify(self, delivery: Delivery, settings: LinkedInSettings) -> None:
        """Raises Refused unless the app's secret signed this body."""
        signed = b"hmacsha256=" + delivery.body
        expected = signatures.hmac_sha256(settings.client_secret, signed, form="hex")
        signatures.same(delivery.headers.get("x-li-signature", ""), expected)

    def handshake(self, query: Mapping[str, str], settings: LinkedInSettings) -> Reply | None:
        """The challenge, signed."""
        code = query.get("challengeCode", "")
        if not _CODE.fullmatch(code):
            return None
        signed = signatures.hmac_sha256(settings.client_secret, code.encode(), form="hex")
        return Reply(f'{{"challengeCode": "{code}", "challengeResponse": "{signed}"}}')

    def parts(self, delivery: Delivery, settings: LinkedInSettings) -> tuple[Part, ...]:
        """The response by its name, with what was done to it."""
        said = json_body.document(delivery.body)
        response = json_body.text(said, "leadGenFormResponse")
        if not response:
            return super().parts(delivery, settings)
        return (Part(f"{json_body.text(said, 'leadAction')}:{response}"),)

    def lookup(self, delivery: Delivery, settings: LinkedInSettings) -> Lookup | None:
        """The answers, which the notification itself does not tell."""
        said = json_body.understood(delivery.body)
        if json_body.text(said, "leadAction") == "DELETED":
            return None
        found = _URN.fullmatch(json_body.text(said, "leadGenFormResponse"))
        if found is None:
            raise Unreadable("there is no 'leadGenFormResponse' in it")
        if settings.access_token is None:
            raise Unreadable("the form's `services` names no access_token, so the lead cannot be fetched")
        return Lookup(
            f"{_API}/{quote(found[1], safe='')}",
            headers={
                "Authorization": f"Bearer {settings.access_token.get_secret_value()}",
                "LinkedIn-Version": _VERSION,
                "X-Restli-Protocol-Version": "2.0.0",
            },
        )

    def read(self, delivery: Delivery, settings: LinkedInSettings) -> Answers:
        """What the Lead Sync API answered."""
        notice = json_body.understood(delivery.body)
        if json_body.text(notice, "leadAction") == "DELETED":
            raise Ignored("the lead was deleted at LinkedIn")
        said = delivery.facts.get(LOOKED_UP)
        if not isinstance(said, dict):
            raise Unreadable("the lead was not fetched")
        items = [_answer(a) for a in json_body.items(said, "formResponse", "answers")]
        return Answers(
            items=tuple(items),
            at=of_epoch(said.get("submittedAt") or notice.get("occurredAt"), unit=1000),
            extra={
                "id": json_body.text(notice, "leadGenFormResponse"),
                "form": json_body.text(notice, "leadGenForm"),
                "type": json_body.text(notice, "leadType"),
            },
            document=said,
        )


def _answer(answer: Mapping[str, Any]) -> Answer:
    details = json_body.at(answer, "answerDetails")
    value = json_body.text(details, "textQuestionAnswer", "answer")
    options = json_body.at(details, "multipleChoiceAnswer", "options")
    values = (
        (value,)
        if value
        else tuple(str(o) for o in options if isinstance(o, str | int))
        if isinstance(options, list)
        else ()
    )
    kind = json_body.text(answer, "predefinedField") or json_body.text(answer, "name")
    return Answer(
        json_body.text(answer, "name") or json_body.text(answer, "questionId") or kind,
        values,
        label=json_body.text(answer, "question") or kind.replace("_", " ").lower(),
        meaning=_MEANINGS.get(kind.upper()),
    )
