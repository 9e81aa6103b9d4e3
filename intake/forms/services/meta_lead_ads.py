"""Meta Lead Ads: the page's `leadgen` webhook, which names leads; their fields are fetched by the Graph API.

Handshake, signature and shape: developers.facebook.com, 'Webhooks: Getting started', 'Webhooks for Leadgen'
and 'Retrieving leads'. One delivery may name many leads; each is an event of its own.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from pydantic import Field, SecretStr

from core.errors import Ignored, Refused, Unreadable
from intake import signatures
from intake.delivery import Delivery
from intake.errand import LOOKED_UP, Lookup
from intake.forms import json_body
from intake.forms.answers import Answer, Answers
from intake.forms.moments import moment, of_epoch
from intake.forms.service import FormService, Part, Reply, ServiceSettings

_GRAPH = "https://graph.facebook.com/v23.0"
_ASKED = "field_data,created_time,form_id,ad_id,ad_name,campaign_id,campaign_name,platform,is_organic"
_MEANINGS = {"full_name": "name", "phone_number": "phone", "company_name": "company", "work_email": "email"}
_ABOUT = ("ad_id", "ad_name", "campaign_id", "campaign_name", "form_id", "platform")


class MetaLeadAdsSettings(ServiceSettings):
    """Of the app, and of the page whose leads it gets."""

    app_secret: SecretStr = Field(min_length=1, description="The app's secret, which signs")
    verify_token: SecretStr = Field(min_length=1, description="The token entered with the webhook's address")
    page_token: SecretStr | None = Field(
        None, min_length=1, description="The page's access token, to fetch leads"
    )


class MetaLeadAds(FormService[MetaLeadAdsSettings]):
    """One change is one lead."""

    name = "meta-lead-ads"
    label = "Meta Lead Ads"
    aliases = ("meta-leadads", "meta", "facebook")
    settings = MetaLeadAdsSettings
    configured = True

    def verify(self, delivery: Delivery, settings: MetaLeadAdsSettings) -> None:
        """Raises Refused unless the app's secret signed these very bytes."""
        expected = signatures.hmac_sha256(settings.app_secret, delivery.body, form="hex")
        signatures.same(delivery.headers.get("x-hub-signature-256", ""), f"sha256={expected}")

    def handshake(self, query: Mapping[str, str], settings: MetaLeadAdsSettings) -> Reply | None:
        """The challenge, for whoever knows our token."""
        if query.get("hub.mode") != "subscribe":
            return None
        given = query.get("hub.verify_token", "").encode("utf-8", "replace")
        if not hmac.compare_digest(given, settings.verify_token.get_secret_value().encode()):
            raise Refused("the token does not fit", status=403, reason="bad_signature")
        return Reply(query.get("hub.challenge", "")[:500], "text/plain; charset=utf-8")

    def parts(self, delivery: Delivery, settings: MetaLeadAdsSettings) -> tuple[Part, ...]:
        """One for each lead that is named; changes of other kinds are none."""
        found: dict[str, Part] = {}
        for entry in json_body.items(json_body.document(delivery.body), "entry"):
            for change in json_body.items(entry, "changes"):
                lead = json_body.text(change, "value", "leadgen_id")
                if json_body.text(change, "field") == "leadgen" and lead:
                    when = json_body.text(change, "value", "created_time")
                    found.setdefault(lead, Part(lead, {"leadgen_id": lead, "created_time": when}))
        return tuple(found.values())

    def lookup(self, delivery: Delivery, settings: MetaLeadAdsSettings) -> Lookup:
        """The lead's fields, which the webhook itself does not tell."""
        lead = str(delivery.facts.get("leadgen_id", ""))
        if not lead.isascii() or not lead.isdecimal():
            raise Unreadable("the lead's number is none")
        if settings.page_token is None:
            raise Unreadable("the form's `services` names no page_token, so the lead cannot be fetched")
        token = settings.page_token.get_secret_value()
        return Lookup(f"{_GRAPH}/{lead}?fields={_ASKED}", headers={"Authorization": f"Bearer {token}"})

    def read(self, delivery: Delivery, settings: MetaLeadAdsSettings) -> Answers:
        """What the Graph API answered."""
        said = delivery.facts.get(LOOKED_UP)
        if not isinstance(said, dict):
            raise Unreadable("the lead was not fetched")
        if "error" in said:
            raise Unreadable(f"Meta says: {json_body.text(said, 'error', 'message')[:300]}")
        fields = json_body.items(said, "field_data")
        if not fields:
            raise Ignored("the lead has no fields")
        items = []
        for field in fields:
            values = field.get("values")
            given = tuple(v for v in values if isinstance(v, str)) if isinstance(values, list) else ()
            name = json_body.text(field, "name")
            items.append(Answer(name, given, label=name.replace("_", " "), meaning=_MEANINGS.get(name)))
        told = moment(json_body.text(said, "created_time"))
        return Answers(
            items=tuple(items),
            at=told or of_epoch(delivery.facts.get("created_time")),
            extra={"id": str(delivery.facts.get("leadgen_id"))}
            | {n: json_body.text(said, n) for n in _ABOUT},
            document=said,
        )
