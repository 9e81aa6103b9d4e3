"""Segments: saved choices among leads, contacts and deals; what is in each, and how it is written."""

from __future__ import annotations

import re
from typing import Any

from flask import g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from console import auth, segment_rules
from core import db
from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.ids import new_id
from crm import exporting, rights
from crm.element import Element
from models.lead import Lead
from models.rule import RulesetVersion
from models.segment import Segment
from models.user import Role
from rules import segments

_MOST = 200
#: So many of the newest are looked at for a page; an export looks at all.
_LOOKED_AT = 2000
_FIRST = 20
_AT = re.compile(r"at character (\d+): (.*)", re.DOTALL)
_AROUND = 40


def all_segments() -> ResponseReturnValue:
    """The segments, the last made first."""
    with db.reading() as session:
        rows = session.scalars(select(Segment).order_by(Segment.id.desc()).limit(_MOST)).all()
    return render_template("console/segments.html", rows=rows, may=_may())


def one(key: str) -> ResponseReturnValue:
    """One segment: how many are in it, the newest of them, and where it is asked for."""
    with db.reading() as session:
        row = _existing(session, key)
        given = {"key": key, "kind": row.kind, "name": row.name, "condition": row.condition}
        return _page(session, given | {"living": row.living}, row)


def form() -> ResponseReturnValue:
    """The form for a new one."""
    _allowed()
    given = {"key": "", "kind": "lead", "name": "", "condition": "", "living": True}
    with db.reading() as session:
        return _page(session, given, None)


def save(key: str | None = None) -> ResponseReturnValue:
    """Makes a segment or changes it; with `do=look` only shows what would be in it."""
    _allowed()
    given = {name: request.form.get(name, "").replace("\0", "").strip() for name in ("kind", "name")}
    values: dict[str, Any] = {
        **given,
        "key": key or request.form.get("key", "").replace("\0", "").strip(),
        "condition": request.form.get("condition", "").replace("\0", "").replace("\r\n", "\n").strip(),
        "living": request.form.get("living") != "no",
    }
    mistakes: dict[str, str] = {}
    try:
        _check_name(values["name"])
        segments.checked(values["kind"], values["condition"])
        if request.form.get("do") != "look":
            _save(key, values)
            return redirect(url_for("console.segment", key=values["key"]), 303)
    except Invalid as error:
        mistakes = {name.lstrip("/"): words for name, words in error.fields.items()}
    except Conflict as error:
        mistakes = {"key": str(error)}
    with db.reading() as session:
        row = _existing(session, key) if key is not None else None
        return _page(session, values, row, mistakes=mistakes, tried=True)


def do(key: str, what: str) -> ResponseReturnValue:
    """Looks for the members of a static one anew, or forgets it, when what was in it stays; or starts a rule
    on its members."""
    _allowed()
    if what == "start":
        with db.reading() as session:
            row = _existing(session, key)
        return segment_rules.start(row)
    with db.unit_of_work() as session:
        row = _existing(session, key, lock=True)
        if what == "delete":
            session.delete(row)
        elif row.living:
            raise Conflict("A living segment has at any time what its condition is true of.")
        else:
            segments.fix(session, row, g.here)
    page = url_for("console.segments") if what == "delete" else url_for("console.segment", key=key)
    return redirect(page, 303)


def _check_name(name: str) -> None:
    if len(name) > 200 or (name and not name.isprintable()):
        raise Invalid("some values are not acceptable", {"/name": "has up to 200 characters, on one line"})


def _save(key: str | None, values: dict[str, Any]) -> None:
    with db.unit_of_work() as session:
        there = session.scalar(select(Segment.id).where(Segment.key == values["key"]))
        if key is None and there is not None:
            raise Conflict(f"'{values['key']}' names a segment already")
        if key is not None and there is None:
            raise NotFound("There is no such segment.")
        segments.save(
            session,
            values["key"],
            kind=values["kind"],
            condition=values["condition"],
            name=values["name"],
            living=values["living"],
            by=f"user:{auth.current_user().id}",
            here=g.here,
        )


def _page(
    session: Session,
    given: dict[str, Any],
    row: Segment | None,
    *,
    mistakes: dict[str, str] | None = None,
    tried: bool = False,
) -> ResponseReturnValue:
    look = None
    if not mistakes and (tried or row is not None):
        trial = row
        if trial is None or tried:
            trial = Segment(kind=given["kind"], condition=given["condition"], living=True)
        look = segments.look(session, trial, g.here, most=_LOOKED_AT, first=_FIRST)
    answer = render_template(
        "console/segment.html",
        row=row,
        given=given,
        mistakes=mistakes or {},
        place=_place(given["condition"], (mistakes or {}).get("condition", "")),
        look=look,
        tried=tried,
        members=[_line(element) for element in look.rows] if look is not None else [],
        kinds=tuple(segments.TABLES),
        formats=exporting.FORMATS,
        rules=_asked_by(session, row.key) if row is not None else [],
        startable=segment_rules.startable(session) if row is not None and segment_rules.may_start() else [],
        started=segment_rules.told(),
        once=new_id(),
        narrowed=rights.present() is not None,
        may=_may(),
    )
    return answer, 422 if mistakes else 200


def _line(element: Element) -> dict[str, Any]:
    called = getattr(element, "name", "") or getattr(element, "title", "")
    more = getattr(element, "company", None) if isinstance(element, Lead) else None
    if isinstance(element, Lead):
        page = url_for("console.lead", lead_id=element.id)
    else:
        page = url_for(f"console.{element.__tablename__}", row_id=element.id)
    return {"name": called, "more": more, "at": element.created_at, "url": page}


def _place(condition: str, words: str) -> tuple[str, str, str] | None:
    """The text before a mistake, the word at it, and what follows, as much as shows where it is."""
    found = _AT.fullmatch(words)
    if found is None:
        return None
    at = int(found[1]) - 1
    word = re.compile(r"[\w.]+|.|\Z", re.DOTALL).match(condition, at)
    end = word.end() if word else at
    return condition[max(0, at - _AROUND) : at], condition[at:end], condition[end : end + _AROUND]


def _asked_by(session: Session, key: str) -> list[str]:
    """The published rules that ask for a segment by its key."""
    newest = select(RulesetVersion.rules).order_by(RulesetVersion.id.desc()).limit(1)
    asks = re.compile(r"""in_segment\s*\(\s*\\*["']""" + re.escape(key) + r"""\\*["']""")
    return [str(rule.get("name", "")) for rule in session.scalar(newest) or [] if asks.search(str(rule))]


def _existing(session: Session, key: str, *, lock: bool = False) -> Segment:
    chosen = select(Segment).where(Segment.key == key.replace("\0", ""))
    row = session.scalars(chosen.with_for_update() if lock else chosen).one_or_none()
    if row is None:
        raise NotFound("There is no such segment.")
    return row


def _may() -> bool:
    return auth.current_user().role is not Role.READ_ONLY


def _allowed() -> None:
    if not _may():
        raise NotAllowed("You may look, and change nothing.")
