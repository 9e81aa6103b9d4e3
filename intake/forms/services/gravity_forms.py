"""Gravity Forms: its Webhooks add-on, with all fields or with chosen ones.

Shape: docs.gravityforms.com, 'Entry Object' and 'Webhooks Add-On'. With all fields the questions' numbers
are the names (`1.3` is a first name), so that a form's `mapping` says what they mean. Nothing is signed.
"""

from __future__ import annotations

from intake.delivery import Delivery
from intake.forms import json_body
from intake.forms.answers import Answers
from intake.forms.body import JSON, MULTIPART, URLENCODED, read, understood
from intake.forms.moments import moment
from intake.forms.service import FormService, Part, ServiceSettings

# What an entry tells beside the answers.
_TOLD = (
    "id form_id post_id date_created date_updated is_starred is_read ip source_url user_agent currency "
    "payment_status payment_date payment_amount payment_method transaction_id is_fulfilled created_by "
    "transaction_type status source_id"
)
_ABOUT = frozenset(_TOLD.split())
# Of these, what is worth to be seen with the enquiry.
_SHOWN = ("id", "form_id", "ip", "user_agent", "payment_status", "payment_amount", "currency")


class GravityForms(FormService[ServiceSettings]):
    """One post is one entry."""

    name = "gravity-forms"
    label = "Gravity Forms"
    aliases = ("gravity", "gravityforms")
    settings = ServiceSettings
    content_types = (JSON, URLENCODED, MULTIPART)

    def parts(self, delivery: Delivery, settings: ServiceSettings) -> tuple[Part, ...]:
        """The entry by its form and its number, where it has them."""
        posted = read(delivery.body, delivery.content_type)
        form, entry = posted.first("form_id"), posted.first("id")
        if form is None or entry is None:
            return (Part(posted.fingerprint(), by_content=True),)
        return (Part(f"{form}:{entry}"),)

    def read(self, delivery: Delivery, settings: ServiceSettings) -> Answers:
        """Only an entry as a whole has names that are not answers."""
        posted = understood(delivery.body, delivery.content_type)
        document = json_body.if_json(delivery.body, delivery.content_type)
        if not {"form_id", "date_created"} <= posted.values.keys():
            return Answers.of(posted, document=document)
        return Answers.of(
            posted,
            without=_ABOUT,
            at=moment(str(posted.first("date_created") or "")),
            page=str(posted.first("source_url") or ""),
            extra={name: posted.first(name) for name in _SHOWN if posted.first(name) is not None},
            document=document,
        )
