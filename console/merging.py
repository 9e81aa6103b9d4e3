"""Two beside each other, to be made one by choosing each value; and parting them again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from console import auth
from core import db
from core.errors import Conflict, Invalid, NotFound
from core.ids import new_id
from crm import duplicates, merge_fields, merging, workspace
from models.company import Company
from models.contact import Contact
from models.lead import Lead
from models.merge import Merge
from models.source import Source
from models.user import User
from rules import engine

_MOST = 50
#: Columns that hold numbers of rows, and what those are called.
_REFERENCES: dict[str, tuple[type[Any], str]] = {
    "owner_id": (User, "name"),
    "source_id": (Source, "name"),
    "company_id": (Company, "name"),
    "contact_id": (Contact, "name"),
}
_WORDS = {"company_id": "company", "contact_id": "contact", "first_response_at": "first answer"}


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that can be chosen: what each says, and whose is chosen unless somebody does."""

    name: str
    label: str
    survivor: Any
    other: Any
    chosen: str


def page(kind: str, row_id: int, *, problem: str = "") -> ResponseReturnValue:
    """What may be the same; with `other` in the address both beside each other."""
    with db.reading() as session:
        row = _row(session, kind, row_id)
        wanted = _number(request.values.get("other"))
        other = _found(session, kind, wanted) if wanted and wanted != row.id else None
        if other is not None:
            other = merging.standing(session, other)
        if wanted and (other is None or other.id == row.id):
            other, problem = None, problem or f"There is no other {kind} {wanted}."
        shown = render_template(
            "console/merge.html",
            kind=kind,
            row=row,
            other=other,
            rows=_rows(session, kind, row, other) if other is not None else [],
            candidates=[] if other is not None else duplicates.of(session, row),
            problem=problem,
        )
    return shown, 422 if problem else 200


def post(kind: str, row_id: int) -> ResponseReturnValue:
    """Makes the other part of this one, with the values that were chosen."""
    choose = {
        name.removeprefix("choose:"): value
        for name, value in request.form.items()
        if name.startswith("choose:") and value
    }
    by = f"user:{auth.current_user().id}"
    try:
        with db.unit_of_work() as session:
            table = merging.TABLES[kind]
            survivor, other = merging.pair(session, table, row_id, _number(request.form.get("other")) or 0)
            _unchanged(survivor, request.form.get("seen"))
            _unchanged(other, request.form.get("seen_other"))
            same = request.form.get("same_person", "yes") == "yes"
            made = merging.merge(session, survivor, other, by=by, choose=choose, same_person=same)
            if isinstance(survivor, Lead):
                here = workspace.load(session)
                engine.react(session, merging.told(survivor, made), workspace=here, event_id=new_id())
    except (Conflict, Invalid) as error:
        named = error.fields.items() if isinstance(error, Invalid) else ()
        return page(kind, row_id, problem="; ".join(f"{f.strip('/')} {w}" for f, w in named) or str(error))
    return redirect(url_for(f"console.{kind}", row_id=row_id) if kind != "lead" else _lead(row_id), 303)


def undo(merge_id: int) -> ResponseReturnValue:
    """Makes two of a merge again."""
    with db.unit_of_work() as session:
        made = session.get(Merge, merge_id, with_for_update=True)
        if made is None:
            raise NotFound("There is no such merge.")
        merging.split(session, made, by=f"user:{auth.current_user().id}")
        kind, back = made.kind, made.survivor_id
    return redirect(url_for(f"console.{kind}", row_id=back) if kind != "lead" else _lead(back), 303)


def merges_of(session: Session, row: Lead | Contact | Company) -> Sequence[Merge]:
    """What is part of a row, and can be parted from it: the newest first."""
    chosen = select(Merge).where(
        Merge.kind == row.__tablename__, Merge.survivor_id == row.id, Merge.undone_at.is_(None)
    )
    return session.scalars(chosen.order_by(Merge.id.desc()).limit(_MOST)).all()


def _rows(session: Session, kind: str, row: Any, other: Any) -> list[Row]:
    made = merge_fields.united(kind, row, other, {})
    found = []
    for name, columns in merge_fields.FIELDS[kind].items():
        column = columns[0]
        chosen = "other" if column in made and made[column] == getattr(other, column) else "survivor"
        mine, its = (_shown(session, column, getattr(one, column)) for one in (row, other))
        found.append(Row(name, _WORDS.get(name, name.replace("_", " ")), mine, its, chosen))
    found.append(Row("tags", "tags", row.tags, other.tags, "both"))
    for key in dict.fromkeys([*row.fields, *other.fields]):
        whose = "other" if row.fields.get(key) in (None, "") else "survivor"
        found.append(Row(f"fields.{key}", key, row.fields.get(key), other.fields.get(key), whose))
    return [one for one in found if one.survivor != one.other]


def _shown(session: Session, column: str, value: Any) -> Any:
    if value is None or column not in _REFERENCES:
        return value
    table, name = _REFERENCES[column]
    row = session.get(table, value)
    return getattr(row, name) if row is not None else value


def _found(session: Session, kind: str, row_id: int) -> Lead | Contact | Company | None:
    return cast("Lead | Contact | Company | None", session.get(merging.TABLES[kind], row_id))


def _row(session: Session, kind: str, row_id: int) -> Lead | Contact | Company:
    row = _found(session, kind, row_id)
    if row is None or row.merged_into_id is not None:
        raise NotFound(f"There is no such {kind}.")
    return row


def _unchanged(row: Lead | Contact | Company, seen: str | None) -> None:
    if seen and seen != row.updated_at.isoformat():
        raise Conflict("One of them was changed meanwhile: look again.")


def _lead(lead_id: int) -> str:
    return url_for("console.lead", lead_id=lead_id)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 19 else None
