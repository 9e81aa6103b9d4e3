"""Contact Form 7: its own post, as to the site's address, and the JSON of its webhook add-ons.

Shape: contactform7.com, 'REST API'; the hidden fields begin with `_wpcf7`. Nothing is signed.
"""

from __future__ import annotations

from core.errors import Refused, Unreadable
from intake.delivery import Delivery
from intake.forms import json_body
from intake.forms.answers import Answers
from intake.forms.body import CONTENT_TYPES, JSON, read
from intake.forms.service import FormService, ServiceSettings


class ContactForm7(FormService[ServiceSettings]):
    """One post is one submission."""

    name = "contact-form-7"
    label = "Contact Form 7"
    aliases = ("cf7", "contactform7")
    settings = ServiceSettings
    content_types = CONTENT_TYPES

    def read(self, delivery: Delivery, settings: ServiceSettings) -> Answers:
        """The fields under the names that the form's tags have: `your-name`, `tel-482`."""
        try:
            posted = read(delivery.body, delivery.content_type)
        except Refused as error:
            raise Unreadable(str(error)) from None
        hidden = [n for n in posted.values if n.startswith("_wpcf7") or n == "cf-turnstile-response"]
        is_json = delivery.content_type.startswith(JSON)
        return Answers.of(
            posted,
            without=hidden,
            extra={"form": posted.first("_wpcf7")},
            document=json_body.understood(delivery.body) if is_json else None,
        )
