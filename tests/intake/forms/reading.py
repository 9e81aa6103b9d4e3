"""How the tests read a fixture of a form service."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crm.contact_points import phone_number
from crm.submission import Submission
from intake.delivery import Delivery
from intake.forms.body import JSON
from intake.forms.service import FormService
from intake.forms.service_form import ServiceForm
from intake.forms.services import BY_NAME, settings_of
from intake.forms.settings import FormSettings

FIXTURES = Path(__file__).parents[2] / "fixtures" / "forms"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def label(file: Path) -> str:
    return f"{file.parent.name}/{file.stem}"


def delivery(body: str | bytes, headers: Mapping[str, str]) -> Delivery:
    content = body.encode() if isinstance(body, str) else body
    named = {name.lower(): value for name, value in headers.items()}
    return Delivery(content, named["content-type"], NOW, headers=named)


def form(settings: Mapping[str, Any]) -> FormSettings:
    return FormSettings.model_validate({"key": "site", **settings})


def sent(file: Path) -> tuple[FormService[Any], Delivery, FormSettings, Any]:
    """The service, what came, the form, and what it says of the service."""
    told = json.loads(file.read_text())
    service, settings = BY_NAME[file.parent.name], form(told["settings"])
    return (
        service,
        delivery(told["body"], told["headers"]),
        settings,
        settings_of(service, settings.services),
    )


def read(name: str, document: Any, **settings: Any) -> Submission:
    return ServiceForm(BY_NAME[name]).parse(
        delivery(json.dumps(document), {"Content-Type": JSON}), form(settings)
    )


def summary(found: Submission, country: str) -> dict[str, Any]:
    return {
        "at": found.occurred_at.isoformat(),
        "name": found.name,
        "emails": list(found.emails),
        "phones": [phone_number(p, country) for p in found.phones],
        "company": found.company,
        "title": found.title,
        "message": found.message,
        "fields": dict(found.fields),
        "extra": dict(found.extra),
        "attribution": dict(found.attribution),
        "consent": found.consent,
        "files": [f.name for f in found.files],
    }
