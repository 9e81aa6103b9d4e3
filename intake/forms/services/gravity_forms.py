"""Gravity Forms: its Webhooks add-on, with all fields or with chosen ones.

Shape: docs.gravityforms.com, 'Entry Object' and 'Webhooks Add-On'. With all fields the questions' numbers
are the names, so that a form's `mapping` says what they mean. Nothing is signed.
"""

from __future__ import annotations

from core.errors import Refused, Unreadable
from intake.delivery import Delivery
from intake.forms import json_body
from intake.forms.answers import Answers
from intake.forms.body import JSON, MULTIPART, URLENCODED, Posted, read
from intake.forms.moments import moment
from intake.forms.service import FormService, Part, ServiceSettings

# What an entry tells beside the answers.
_ABOUT = frozenset(
    {
        *(
            "id",
            "form_id",
            "post_id",
            "date_created",
            "date_updated",
            "is_starred",
            "is_read",
            "ip",
            "source_url",
        ),
        *("user_agent", "currency", "payment_status", "payment_date", "payment_amount", "payment_method"),
        *("transaction_id", "is_fulfilled", "created_by", "transaction_type", "status", "source_id"),
    }
)


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
            return super().parts(delivery, settings)
        return (Part(f"{form}:{entry}"),)

    def read(self, delivery: Delivery, settings: ServiceSettings) -> Answers:
        """Only an entry as a whole has names that are not answers."""
        try:
            posted: Posted = read(delivery.body, delivery.content_type)
        except Refused as error:
            raise Unreadable(str(error)) from None
        whole = {"form_id", "date_created"} <= posted.values.keys()
        about = {n: posted.first(n) for n in ("id", "form_id", "ip") if whole}
        is_json = delivery.content_type.startswith(JSON)
        return Answers.of(
            posted,
            without=_ABOUT if whole else (),
            at=moment(str(posted.first("date_created") or "")) if whole else None,
            page=str(posted.first("source_url") or "") if whole else "",
            extra=about,
            document=json_body.understood(delivery.body) if is_json else None,
        )
