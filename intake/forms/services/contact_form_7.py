"""Contact Form 7: its own post, as to the site's address, and the JSON of its webhook add-ons.

Shape: contactform7.com, 'REST API' and 'Form tag'; the hidden fields begin with `_wpcf7`. Nothing is signed.
"""

from __future__ import annotations

import re

from intake.delivery import Delivery
from intake.forms import captcha, json_body
from intake.forms.answers import Answer, Answers
from intake.forms.body import CONTENT_TYPES, read, understood
from intake.forms.service import FormService, Part, ServiceSettings

# A tag that nobody named is its type and a number.
_TAG = re.compile(r"(tel|email|textarea|acceptance)-\d+")
_MEANINGS = {"tel": "phone", "email": "email", "textarea": "message", "acceptance": "consent"}
_HIDDEN = ("_wpcf7", "_wpnonce")


class ContactForm7(FormService[ServiceSettings]):
    """One post is one submission."""

    name = "contact-form-7"
    label = "Contact Form 7"
    aliases = ("cf7", "contactform7")
    settings = ServiceSettings
    content_types = CONTENT_TYPES

    def parts(self, delivery: Delivery, settings: ServiceSettings) -> tuple[Part, ...]:
        """By its content: it has no id."""
        return (Part(read(delivery.body, delivery.content_type).fingerprint(), by_content=True),)

    def read(self, delivery: Delivery, settings: ServiceSettings) -> Answers:
        """The fields under the names that the form's tags have: `your-name`, `tel-482`."""
        posted = understood(delivery.body, delivery.content_type)
        left_out = frozenset(captcha.FIELDS.values())
        return Answers(
            items=tuple(
                Answer(name, values, meaning=_meaning(name))
                for name, values in posted.values.items()
                if not name.startswith(_HIDDEN) and name not in left_out
            ),
            extra={"form": posted.first("_wpcf7")},
            files=posted.files,
            document=json_body.if_json(delivery.body, delivery.content_type),
        )


def _meaning(name: str) -> str | None:
    tag = _TAG.fullmatch(name)
    return _MEANINGS[tag[1]] if tag else None
