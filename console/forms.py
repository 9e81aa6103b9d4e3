"""The forms in use: where each stands, what to copy into a page, and how it is declared."""

from __future__ import annotations

import re

from flask import abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from console import auth
from core import db
from core.errors import Invalid
from core.settings import settings
from intake import sources
from intake.form_page import snippet
from intake.forms import services
from models.user import Role
from workspace import document
from workspace import forms as declared

_PLACE = re.compile(r"^forms\[\d+\]\.?")
_NEW = """\
key: contact
name: Contact form
fields:
  - {name: name, label: Your name, required: true}
  - {name: email, type: email, required: true}
  - {name: message, type: textarea}
"""


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
    return render_template("console/forms.html", forms=found, services=services.SERVICES, may=_may_declare())


def edit(key: str | None = None) -> ResponseReturnValue:
    """The form's declaration, in the words of the workspace file; without a key a new one."""
    _allowed()
    text = _NEW
    if key is not None:
        with db.reading() as session:
            text = document.write(declared.form(session, key))
    return render_template("console/form_edit.html", key=key, text=text, mistake=None)


def declare(key: str | None = None) -> ResponseReturnValue:
    """Makes the form what was written; what does not fit is said beside it, and nothing is changed."""
    _allowed()
    text = request.form.get("text", "")
    try:
        saved = _saved(key, text)
    except Invalid as error:
        answer = render_template("console/form_edit.html", key=key, text=text, mistake=_mistake(error))
        return answer, 422
    sources.forget()
    return redirect(url_for("console.forms", _anchor=saved), 303)


def _saved(key: str | None, text: str) -> str:
    values = document.parse(text.encode("utf-8", "replace"), "line").values
    wanted = values.get("key")
    if not isinstance(wanted, str):
        raise Invalid("it needs a key, such as 'key: contact'")
    if key is not None and wanted != key:
        raise Invalid("its key cannot be changed")
    with db.unit_of_work() as session:
        if key is None and any(f["key"] == wanted for f in declared.forms(session)):
            raise Invalid(f"there is a form '{wanted}' already")
        declared.declare(session, wanted, values, by=_actor())
    return wanted


def withdraw(key: str) -> ResponseReturnValue:
    """Takes the form out of use; its leads stay."""
    _allowed()
    with db.unit_of_work() as session:
        declared.withdraw(session, key, by=_actor())
    sources.forget()
    return redirect(url_for("console.forms"), 303)


def _mistake(error: Invalid) -> list[str]:
    """Each mistake; its place within the form, not within all forms."""
    found = [f"{name}: {words}" for name, words in error.fields.items()] or str(error).splitlines()
    return [_PLACE.sub("", words) for words in found]


def _may_declare() -> bool:
    return auth.current_user().role in (Role.ADMIN, Role.MANAGER)


def _allowed() -> None:
    if not _may_declare():
        abort(403, "Forms are declared by managers and administrators.")


def _actor() -> str:
    return f"user:{auth.current_user().id}"
