"""The forms in use: where each stands, and what to copy into a page."""

from __future__ import annotations

from flask import render_template
from flask.typing import ResponseReturnValue

from core import db
from core.settings import settings
from intake.form_page import snippet
from intake.forms import services
from workspace import forms as declared


def all_forms() -> ResponseReturnValue:
    """Each form with its address, its snippet and the addresses for form services."""
    with db.reading() as session:
        found = [
            {
                "key": form["key"],
                "name": form.get("name") or form["key"],
                "address": f"{settings().address}/in/forms/{form['key']}",
                "snippet": snippet(form["key"]),
                "fields": form.get("fields", []),
                "origins": form.get("allowed_origins", []),
            }
            for form in declared.forms(session)
        ]
    return render_template("console/forms.html", forms=found, services=services.SERVICES)
