"""Elementor Pro: the form's webhook action, with labels for names or with 'advanced data'.

Shape: elementor.com/help, 'Form submissions: webhook'; the details are from public integrations. Nothing is
signed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from core.errors import Refused, Unreadable
from intake.delivery import Delivery
from intake.forms.answers import Answer, Answers
from intake.forms.body import JSON, MULTIPART, URLENCODED, Posted, read
from intake.forms.service import FormService, ServiceSettings

# What the action adds to the visitor's fields, by its English labels.
_META = frozenset(
    {"Date", "Time", "Page URL", "User Agent", "Remote IP", "Powered by", "form_id", "form_name"}
)
_MEANINGS = {"email": "email", "tel": "phone", "textarea": "message", "acceptance": "consent"}
_FIELD = re.compile(r"fields\[([^\]]+)\]\[(?:value|title|type|raw_value|id|required)\]")


class Elementor(FormService[ServiceSettings]):
    """One post is one submission."""

    name = "elementor"
    label = "Elementor"
    settings = ServiceSettings
    content_types = (URLENCODED, JSON, MULTIPART)

    def read(self, delivery: Delivery, settings: ServiceSettings) -> Answers:
        """Both kinds of data are told apart by what stands in them."""
        try:
            posted = read(delivery.body, delivery.content_type)
        except Refused as error:
            raise Unreadable(str(error)) from None
        keys = dict.fromkeys(m[1] for m in map(_FIELD.fullmatch, posted.values) if m)
        return _advanced(posted, keys) if keys else _simple(posted)


def _simple(posted: Posted) -> Answers:
    return Answers(
        items=tuple(Answer(n, vs, label=n) for n, vs in posted.values.items() if n not in _META),
        page=str(posted.first("Page URL") or ""),
        extra={"form": posted.first("form_name"), "ip": posted.first("Remote IP")},
        files=posted.files,
    )


def _advanced(posted: Posted, keys: Iterable[str]) -> Answers:
    items = []
    for key in keys:
        said = {part: posted.values.get(f"fields[{key}][{part}]", ()) for part in ("value", "title", "type")}
        kind = str(next(iter(said["type"]), ""))
        label = str(next(iter(said["title"]), ""))
        items.append(Answer(key, said["value"], label=label, meaning=_MEANINGS.get(kind)))
    return Answers(
        items=tuple(items),
        page=str(posted.first("meta[page_url][value]") or ""),
        extra={"form": posted.first("form[name]"), "ip": posted.first("meta[remote_ip][value]")},
        files=posted.files,
    )
