"""The sections of the catalogue: made, renamed, moved with all in them, deleted when empty."""

from __future__ import annotations

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from console import leads, products
from core import db
from core.errors import Conflict, Invalid, NotFound
from crm import sections
from models.product import Section


def all_sections() -> ResponseReturnValue:
    """The tree, and a form for a new one."""
    return _page()


def create() -> ResponseReturnValue:
    """Makes a section."""
    products.allowed()
    try:
        with db.unit_of_work() as session:
            sections.create(session, _name(), parent=_parent(session))
    except (Invalid, Conflict) as error:
        return _page(_words(error), made=_name()), 422
    return redirect(url_for("console.product_sections"), 303)


def change(row_id: int, what: str) -> ResponseReturnValue:
    """Renames and moves one, or deletes it."""
    products.allowed()
    try:
        with db.unit_of_work() as session:
            row = session.get(Section, row_id, with_for_update=True)
            if row is None:
                raise NotFound("There is no such section.")
            if what == "delete":
                sections.delete(session, row)
            else:
                parent = _parent(session)
                values = {"name": _name(), "parent_id": parent.id if parent else None}
                position = request.form.get("position", "")
                if position.isdecimal() and len(position) < 5:
                    values["position"] = int(position)
                sections.change(session, row, values)
    except (Invalid, Conflict) as error:
        return _page(_words(error), at=row_id), 422
    return redirect(url_for("console.product_sections"), 303)


def _page(mistake: str = "", *, at: int | None = None, made: str = "") -> str:
    with db.reading() as session:
        tree = sections.tree(session)
    return render_template(
        "console/product_sections.html", tree=tree, mistake=mistake, at=at, made=made, may=products.may()
    )


def _name() -> str:
    return " ".join(request.form.get("name", "").replace("\0", " ").split())[:200]


def _parent(session: Session) -> Section | None:
    written = request.form.get("parent", "")
    if not written:
        return None
    found = session.get(Section, leads.number(written) or 0)
    if found is None:
        raise Invalid("some values are not acceptable", {"/parent_id": "is no section"})
    return found


def _words(error: Invalid | Conflict) -> str:
    if isinstance(error, Invalid) and error.fields:
        return "; ".join(
            f"{ {'/name': 'Its name', '/parent_id': 'Where it is to go'}.get(name, name) } {words}"
            for name, words in error.fields.items()
        )
    return str(error)
