"""Jotform: the webhook of a form's submissions.

Shape: Jotform's help, 'Setting up a webhook', and payloads seen in public integrations. The answers are
JSON in the part `rawRequest`; nothing is signed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from core.errors import Unreadable
from intake.delivery import Delivery
from intake.forms import json_body
from intake.forms.answers import Answer, Answers
from intake.forms.body import MULTIPART, URLENCODED, Posted, read, understood
from intake.forms.service import FormService, Part, ServiceSettings

_QUESTION = re.compile(r"q\d+_(.+)")
# What Jotform tells of itself beside the questions.
_TOLD = (
    "slug jsExecutionTracker submitSource submitDate buildDate uploadServerUrl eventId event_id timeToSubmit "
    "validatedNewRequiredFieldIDs visitedPages path JFCustomID preview temp_upload simple_spc formID "
    "embedUrl parentURL"
)
_ABOUT = frozenset(_TOLD.split())


class Jotform(FormService[ServiceSettings]):
    """One post is one submission."""

    name = "jotform"
    label = "Jotform"
    settings = ServiceSettings
    content_types = (MULTIPART, URLENCODED)

    def parts(self, delivery: Delivery, settings: ServiceSettings) -> tuple[Part, ...]:
        """The submission by its id."""
        posted = read(delivery.body, delivery.content_type)
        known = posted.first("submissionID")
        return (Part(str(known or posted.fingerprint()), by_content=not known),)

    def read(self, delivery: Delivery, settings: ServiceSettings) -> Answers:
        """The questions' own names stand behind their numbers: `q4_email`."""
        posted = understood(delivery.body, delivery.content_type)
        raw = str(posted.first("rawRequest") or "")
        if not raw:
            raise Unreadable("there is no 'rawRequest' in it")
        said = json_body.understood(raw.encode())
        items = [a for name, value in said.items() if name not in _ABOUT for a in _answers(name, value)]
        return Answers(items=tuple(items), extra=_about(posted), files=posted.files, document=said)


def _about(posted: Posted) -> dict[str, Any]:
    return {"form": posted.first("formTitle"), "id": posted.first("submissionID"), "ip": posted.first("ip")}


def _answers(name: str, value: Any) -> Iterator[Answer]:
    found = _QUESTION.fullmatch(name)
    plain = found[1] if found else name
    if not isinstance(value, dict):
        yield Answer(plain, json_body.plain(value))
        return
    parts = {k: text for k in value if (text := ", ".join(str(v) for v in json_body.plain(value[k])))}
    if not parts:
        return
    if {"area", "phone"} <= parts.keys():
        country = parts.get("country", "").lstrip("+0")
        number = [f"+{country}" if country.isdecimal() else "", parts["area"], parts["phone"]]
        yield Answer(plain, (" ".join(filter(None, number)),), meaning="phone")
    elif "full" in parts:
        yield Answer(plain, (parts["full"],))
    elif {"first", "last"} & parts.keys():
        order = ("prefix", "first", "middle", "last", "suffix")
        yield Answer(plain, (" ".join(parts[p] for p in order if p in parts),), meaning="name")
    elif {"year", "month", "day"} <= parts.keys():
        yield Answer(plain, (_day(parts),))
    else:
        yield Answer(plain, tuple(parts.values()))


def _day(parts: dict[str, str]) -> str:
    day = f"{parts['year']}-{parts['month']:0>2}-{parts['day']:0>2}"
    if not {"hour", "min"} <= parts.keys():
        return day
    return f"{day} {parts['hour']:0>2}:{parts['min']:0>2} {parts.get('ampm', '')}".rstrip()
