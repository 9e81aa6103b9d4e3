"""WPForms: its Webhooks add-on, whose names the site's owner chooses, and its own post.

Shape: wpforms.com/docs, 'Webhooks addon'; its own post as its script sends it. Nothing is signed. The trap
`wpforms[hp]` is told from the answers by `intake.forms.spam`.
"""

from __future__ import annotations

from intake.delivery import Delivery
from intake.forms import captcha, json_body
from intake.forms.answers import Answers
from intake.forms.body import CONTENT_TYPES, Posted, read, understood
from intake.forms.service import FormService, Part, ServiceSettings

# What the plugin tells beside the answers; the page's address is attribution.
_ABOUT = frozenset(
    f"""
    entry_id form_id form_name form_title page_title page_id url_referer action start_timestamp end_timestamp
    wpforms[id] wpforms[author] wpforms[post_id] wpforms[submit] wpforms[token] wpforms[nonce]
    wpforms[recaptcha] {" ".join(captcha.FIELDS.values())}
    """.split()
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
            return (Part(posted.fingerprint(), by_content=True),)
        return (Part(f"{_form(posted)}:{entry}"),)

    def read(self, delivery: Delivery, settings: ServiceSettings) -> Answers:
        """What is not about the form itself is an answer."""
        posted = understood(delivery.body, delivery.content_type)
        return Answers.of(
            posted,
            without=_ABOUT,
            extra={
                "form": posted.first("form_name") or posted.first("form_title") or _form(posted),
                "id": posted.first("entry_id"),
            },
            document=json_body.if_json(delivery.body, delivery.content_type),
        )


def _form(posted: Posted) -> str:
    return str(posted.first("form_id") or posted.first("wpforms[id]") or "")
