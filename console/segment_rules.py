"""Rules that people start on everything in a segment at once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from flask import g, redirect, request, url_for
from flask import session as browser
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from console import auth
from core import db
from core.errors import Conflict, Invalid, NotAllowed
from crm import rights
from crm.happening import about
from models.segment import Segment
from models.user import Role
from rules import engine, ruleset, segments, subject

#: On so many at a time; for more there is `portaria rules run --segment`.
MOST = 200
_LOOKED_AT = 20_000
_KEY = re.compile(r"[0-9a-f-]{36}")


def startable(session: Session) -> Sequence[str]:
    """The active rules that wait for somebody to start them."""
    version = ruleset.active(session)
    found = version.named.values() if version is not None else ()
    return [rule.name for rule in found if rule.active and rule.trigger == "manual"]


def may_start() -> bool:
    """Whether whoever has signed in changes everything that a segment may have in it."""
    user = auth.current_user()
    if user.role not in (Role.ADMIN, Role.MANAGER):
        return False
    right = rights.of_role(user.role, g.here.rights)
    return right.see is rights.Reach.ALL and right.change is rights.Reach.ALL


def start(row: Segment) -> ResponseReturnValue:
    """Starts a rule on each member, where its own condition is true of it; the same form does so once."""
    if not may_start():
        raise NotAllowed("Rules are started on segments by managers and administrators.")
    name, key = request.form.get("rule", "")[:500], request.form.get("once", "")
    if not _KEY.fullmatch(key):
        raise Invalid("The page is too old: load it again.")
    with db.reading() as session:
        if name not in startable(session):
            raise Conflict("There is no such rule to be started.")
        look = segments.look(session, row, g.here, most=_LOOKED_AT, first=MOST)
    if look.found > MOST or look.looked < look.there:
        raise Conflict(f"There are more than {MOST}: use 'portaria rules run --segment {row.key}'.")
    reasons: Counter[str] = Counter()
    for element in look.rows:
        with db.unit_of_work() as session:
            held = segments.TABLES[row.kind].__tablename__
            ids = {kind: element.id if held == kind else None for kind in ("lead", "deal", "contact")}
            subject.hold_rows(session, ids["lead"], ids["deal"], ids["contact"])
            found: Any = session.get_one(segments.TABLES[row.kind], element.id)
            cause = f"segment {row.key} {key} {element.id}"
            why = engine.start(session, name, about(found, "manual"), workspace=g.here, cause=cause)
        reasons[why or ""] += 1
    said = [f"{reasons.pop('', 0)} of {len(look.rows)}: {name} was started."]
    said += [f"{number}: {why}." for why, number in reasons.most_common(5)]
    browser["segment_told"] = " ".join(said)[:1000]
    return redirect(url_for("console.segment", key=row.key, _anchor="used"), 303)


def told() -> str:
    """What came of it the last time, told once."""
    return str(browser.pop("segment_told", ""))
