"""Elementor Pro: the form's webhook action, with labels for names or with 'advanced data'.

Shape: elementor.com/help, 'Form submissions: webhook'; the details are from public integrations. Nothing is
signed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from intake.delivery import Delivery
from intake.forms import json_body
from intake.forms.answers import Answer, Answers
from intake.forms.body import JSON, MULTIPART, URLENCODED, Posted, read, understood
from intake.forms.service import FormService, Part, ServiceSettings

# What the action adds to the visitor's fields, by its English labels.
_META = {
    "Date": "date",
    "Time": "time",
    "Page URL": "page",
    "User Agent": "user_agent",
    "Remote IP": "ip",
    "Powered by": "",
    "form_id": "",
    "form_name": "form",
}
# A site in another language translates the labels; what it adds still stands together, in this order.
_DAY = frozenset({"date", "datum", "fecha", "data", "time", "zeit", "uhrzeit", "hora", "heure"})
_WEB = re.compile(r"https?://\S+")
_BROWSER = re.compile(r"Mozilla/\d")
_NETWORK = re.compile(r"[0-9a-fA-F.:]{3,45}")
_MEANINGS = {"email": "email", "tel": "phone", "textarea": "message", "acceptance": "consent"}
# Fields of a form that ask nothing.
_SILENT = frozenset({"html", "step", "recaptcha", "recaptcha_v3"})
_FIELD = re.compile(r"fields\[([^\]]+)\]\[(?:value|title|type|raw_value|id|required)\]")
_UNLABELLED = "No Label "


class Elementor(FormService[ServiceSettings]):
    """One post is one submission."""

    name = "elementor"
    label = "Elementor"
    settings = ServiceSettings
    content_types = (URLENCODED, JSON, MULTIPART)

    def parts(self, delivery: Delivery, settings: ServiceSettings) -> tuple[Part, ...]:
        """By its content, which tells the time but no id."""
        return (Part(read(delivery.body, delivery.content_type).fingerprint(), by_content=True),)

    def read(self, delivery: Delivery, settings: ServiceSettings) -> Answers:
        """Both kinds of data are told apart by what stands in them."""
        posted = understood(delivery.body, delivery.content_type)
        keys = dict.fromkeys(m[1] for m in map(_FIELD.fullmatch, posted.values) if m)
        items, meta = (_advanced(posted, keys), _told(posted)) if keys else _simple(posted)
        page = str(meta.pop("page", None) or "")
        return Answers(
            items=tuple(items),
            page=page,
            extra={name: value for name, value in meta.items() if name},
            files=posted.files,
            document=json_body.if_json(delivery.body, delivery.content_type),
        )


def _simple(posted: Posted) -> tuple[Iterable[Answer], dict[str, Any]]:
    meta = {name: _META[name] for name in posted.values if name in _META} | _translated(posted)
    items = [
        # 'No Label field_1a2b' has the field's own id.
        Answer(name.removeprefix(_UNLABELLED), values, label="" if name.startswith(_UNLABELLED) else name)
        for name, values in posted.values.items()
        if name not in meta
    ]
    return items, {word: posted.first(name) for name, word in meta.items()}


def _translated(posted: Posted) -> dict[str, str]:
    """The labels that a site in another language gave to what it adds, found around the browser's name."""
    labels = [name for name in posted.values if name != "User Agent"]
    said = [str(posted.first(name) or "") for name in labels]
    at = next((i for i, value in enumerate(said) if _BROWSER.match(value)), None)
    if at is None:
        return {}
    found = {labels[at]: "user_agent"}
    before = at - 1
    if before >= 0 and _WEB.fullmatch(said[before]):
        found[labels[before]] = "page"
        before -= 1
    for word in ("time", "date"):
        if before >= 0 and labels[before].lower() in _DAY:
            found[labels[before]] = word
            before -= 1
    after = at + 1
    if after < len(labels) and _NETWORK.fullmatch(said[after]):
        found[labels[after]] = "ip"
        after += 1
    if after < len(labels) and said[after] == "Elementor":
        found[labels[after]] = ""
    return found


def _advanced(posted: Posted, keys: Iterable[str]) -> Iterator[Answer]:
    for key in keys:
        said = {part: posted.values.get(f"fields[{key}][{part}]", ()) for part in ("value", "title", "type")}
        kind = str(next(iter(said["type"]), ""))
        label = str(next(iter(said["title"]), ""))
        if kind not in _SILENT:
            yield Answer(key, said["value"], label=label, meaning=_MEANINGS.get(kind))


def _told(posted: Posted) -> dict[str, Any]:
    names = {
        "date": "date",
        "time": "time",
        "page": "page_url",
        "user_agent": "user_agent",
        "ip": "remote_ip",
    }
    meta = {word: posted.first(f"meta[{name}][value]") for word, name in names.items()}
    return meta | {"form": posted.first("form[name]")}
