"""A person's data taken away or erased, for managers."""

from __future__ import annotations

import tempfile
from pathlib import Path

from flask import Response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from console import auth
from core import db, storage
from core.errors import Invalid, NotAllowed, NotFound
from crm import privacy
from crm.privacy import Traces
from intake import person_archive
from models.contact import Contact
from models.lead import Lead
from models.user import Role, User

#: Who may.
ROLES = (Role.ADMIN, Role.MANAGER)


def may(user: User) -> bool:
    """Whether they may take away or erase a person's data."""
    return user.role in ROLES


def take(kind: str, row_id: int) -> ResponseReturnValue:
    """The archive of all that is kept of the person."""
    _allowed()
    with tempfile.TemporaryDirectory(prefix="portaria-") as folder:
        file = Path(folder) / "person.zip"
        with db.reading() as session:
            person_archive.write(session, _traces(session, kind, row_id), file)
        made = Response(file.read_bytes(), content_type="application/zip")
    made.headers["Content-Disposition"] = f'attachment; filename="{kind}-{row_id}.zip"'
    return made


def erase(kind: str, row_id: int) -> ResponseReturnValue:
    """Erases the person, once the word was typed."""
    _allowed()
    if request.form.get("confirm", "").strip().lower() != "erase":
        raise Invalid("Type the word erase to erase the person for good.")
    with db.unit_of_work() as session:
        for place in privacy.erase(
            session, _traces(session, kind, row_id), by=f"user:{auth.current_user().id}"
        ):
            storage.delete(place)
    return redirect(url_for("console.leads" if kind == "lead" else "console.contacts"), 303)


def _traces(session: Session, kind: str, row_id: int) -> Traces:
    if kind == "lead":
        lead = session.get(Lead, row_id)
        if lead is not None:
            return privacy.of_lead(session, lead)
    else:
        contact = session.get(Contact, row_id)
        if contact is not None:
            return privacy.of_contact(session, contact)
    raise NotFound(f"There is no such {kind}.")


def _allowed() -> None:
    if not may(auth.current_user()):
        raise NotAllowed("This is for managers.")
