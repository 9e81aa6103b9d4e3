"""Google Ads: the webhook of a lead form asset.

Shape and key: support.google.com, 'Create a webhook to export leads'. Nothing is signed: the key in the
body is compared. The answer is an empty object; a 4xx is not tried again.
"""

from __future__ import annotations

import hmac

from pydantic import Field, SecretStr

from core.errors import Ignored
from intake import signatures
from intake.delivery import Delivery
from intake.forms import json_body
from intake.forms.answers import Answer, Answers
from intake.forms.service import FormService, Part, Reply, ServiceSettings

_MEANINGS = {
    "FULL_NAME": "name",
    "FIRST_NAME": "first_name",
    "LAST_NAME": "last_name",
    "EMAIL": "email",
    "WORK_EMAIL": "email",
    "PHONE_NUMBER": "phone",
    "WORK_PHONE": "phone",
    "COMPANY_NAME": "company",
}


class GoogleAdsSettings(ServiceSettings):
    """The key that was entered with the webhook's address."""

    key: SecretStr = Field(min_length=1, description="The webhook's key")


class GoogleAds(FormService[GoogleAdsSettings]):
    """One webhook is one lead."""

    name = "google-ads"
    label = "Google Ads lead form"
    aliases = ("google-lead-form",)
    settings = GoogleAdsSettings
    configured = True

    def verify(self, delivery: Delivery, settings: GoogleAdsSettings) -> None:
        """Raises Refused unless the body has our key."""
        given = json_body.text(json_body.document(delivery.body), "google_key")
        if not hmac.compare_digest(
            given.encode("utf-8", "replace"), settings.key.get_secret_value().encode()
        ):
            raise signatures.bad()

    def parts(self, delivery: Delivery, settings: GoogleAdsSettings) -> tuple[Part, ...]:
        """The lead by its id."""
        key = json_body.text(json_body.document(delivery.body), "lead_id")
        return (Part(key),) if key else super().parts(delivery, settings)

    def read(self, delivery: Delivery, settings: GoogleAdsSettings) -> Answers:
        """Columns by their id; a question of the advertiser's own has its words for one."""
        said = json_body.understood(delivery.body)
        if said.get("is_test") is True:
            raise Ignored("a test of the lead form, sent from Google Ads")
        items = []
        for column in json_body.items(said, "user_column_data"):
            kind = json_body.text(column, "column_id")
            name = json_body.text(column, "column_name") or kind
            value = json_body.text(column, "string_value")
            label = kind.replace("_", " ").lower() if kind.isupper() else name
            items.append(Answer(kind or name, (value,), label=label, meaning=_MEANINGS.get(kind)))
        about = ("lead_id", "form_id", "campaign_id", "adgroup_id", "creative_id")
        click = json_body.text(said, "gcl_id")
        return Answers(
            items=tuple(items),
            attribution={"gclid": click} if click else {},
            extra={name: json_body.text(said, name) for name in about},
            document=said,
        )

    def reply(self) -> Reply:
        """An empty object."""
        return Reply()
