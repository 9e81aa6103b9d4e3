"""WPForms: its Webhooks add-on, whose names the site's owner chooses, and its own post.

Shape: wpforms.com/docs, 'Webhooks addon'. Nothing is signed.
"""

from __future__ import annotations

from core.errors import Refused, Unreadable
from intake.delivery import Delivery
from intake.forms import json_body
from intake.forms.answers import Answers
from intake.forms.body import CONTENT_TYPES, JSON, read
from intake.forms.service import FormService, Part, ServiceSettings

_ABOUT = frozenset(
    {
        *("entry_id", "form_id", "form_name", "form_title", "wpforms[id]", "wpforms[author]"),
        *("wpforms[post_id]", "wpforms[submit]", "wpforms[token]", "wpforms[nonce]", "page_title", "page_id"),
    }
)


class WPForms(FormService[ServiceSettings]):
    """One post is one entry."""

    name = "wpforms"
    label = "WPForms"
    settings = ServiceSettings
    content_types = CONTENT_TYPES

    def parts(self, delivery: Delivery, settings: ServiceSettings) -> tuple[Part, ...]:
        """The entry by its form and its number, where it names them."""
        posted = read(delivery.body, delivery.content_type)
        entry = posted.first("entry_id")
        if entry is None:
            return super().parts(delivery, settings)
        return (Part(f"{posted.first('form_id') or ''}:{entry}"),)

    def read(self, delivery: Delivery, settings: ServiceSettings) -> Answers:
        """What is not about the form itself is an answer."""
        try:
            posted = read(delivery.body, delivery.content_type)
        except Refused as error:
            raise Unreadable(str(error)) from None
        is_json = delivery.content_type.startswith(JSON)
        return Answers.of(
            posted,
            without=_ABOUT,
            extra={"form": posted.first("form_name"), "id": posted.first("entry_id")},
            document=json_body.understood(delivery.body) if is_json else None,
        )
