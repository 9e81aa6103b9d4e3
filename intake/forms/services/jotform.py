"""Jotform: the webhook of a form's submissions.

Shape: Jotform's help, 'Setting up a webhook', and payloads seen in public integrations. The answers are
JSON in the part `rawRequest`; nothing is signed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from core.errors import Refused, Unreadable
from intake.delivery import Delivery
from intake.forms import json_body
from intake.forms.answers import Answer, Answers
from intake.forms.body import MULTIPART, URLENCODED, Posted, read
from intake.forms.service import FormService, Part, ServiceSettings

_QUESTION = re.compile(r"q\d+_(.+)")
# What Jotform tells of itself beside the questions.
_ABOUT = frozenset(
    {
        *(
            "slug",
            "jsExecutionTracker",
            "submitSource",
            "submitDate",
            "buildDate",
            "uploadServerUrl",
            "eventId",
        ),
        *(
            "event_id",
            "timeToSubmit",
            "validatedNewRequiredFieldIDs",
            "path",
            "JFCustomID",
            "preview",
            "temp_upload",
        ),
    }
)


class Jotform(FormService[ServiceSettings]):
    """One post is one submission."""

    name = "jotform"
    label = "Jotform"
    settings = ServiceSettings
    content_types = (MULTIPART, URLENCODED)

    def parts(self, delivery: Delivery, settings: ServiceSettings) -> tuple[Part, ...]:
        """The submission by its id."""
        key = str(read(delivery.body, delivery.content_type).first("submissionID") or "")
        return (Part(key),) if key else super().parts(delivery, settings)

    def read(self, delivery: Delivery, settings: ServiceSettings) -> Answers:
        """The questions' own names stand behind their numbers: `q4_email`."""
        try:
            posted = read(delivery.body, delivery.content_type)
        except Refused as error:
            raise Unreadable(str(error)) from None
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
    if isinstance(value, dict):
        parts = {k: str(v) for k, v in value.items() if isinstance(v, str | int | float) and v != ""}
        if {"area", "phone"} <= parts.keys():
            yield Answer(plain, (f"{parts['area']} {parts['phone']}",), meaning="phone")
        elif "full" in parts:
            yield Answer(plain, (parts["full"],))
        elif {"first", "last"} & parts.keys():
            order = ("prefix", "first", "middle", "last", "suffix")
            yield Answer(plain, (" ".join(parts[p] for p in order if p in parts),), meaning="name")
        elif {"year", "month", "day"} <= parts.keys():
            yield Answer(plain, (f"{parts['year']}-{parts['month']:0>2}-{parts['day']:0>2}",))
        elif parts:
            yield Answer(plain, tuple(parts.values()))
    elif isinstance(value, list):
        yield Answer(plain, tuple(v for v in value if isinstance(v, str | int | float)))
    elif value is not None:
        yield Answer(plain, (value,))
