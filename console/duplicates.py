"""What may be there twice: a list to merge from, or to dismiss."""

from __future__ import annotations

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from console import auth
from core import db
from core.errors import NotFound
from crm import duplicate_pairs
from crm.merging import TABLES
from models.duplicate import DuplicatePair, PairState
from models.user import Role

_MOST = 100


def all_pairs() -> ResponseReturnValue:
    """The open pairs, the likeliest first."""
    chosen = duplicate_pairs.standing().where(DuplicatePair.state == PairState.OPEN)
    with db.reading() as session:
        rows = session.scalars(
            chosen.order_by(DuplicatePair.score.desc(), DuplicatePair.id.desc()).limit(_MOST)
        ).all()
        pairs = [
            (
                row,
                session.get_one(TABLES[row.kind], row.first_id),
                session.get_one(TABLES[row.kind], row.second_id),
            )
            for row in rows
        ]
        may_write = auth.current_user().role is not Role.READ_ONLY
        return render_template("console/duplicates.html", pairs=pairs, may_write=may_write)


def dismiss(pair_id: int) -> ResponseReturnValue:
    """Notes that two are not one."""
    with db.unit_of_work() as session:
        row = session.get(DuplicatePair, pair_id, with_for_update=True)
        if row is None:
            raise NotFound("There is no such pair.")
        duplicate_pairs.dismiss(session, row, by=f"user:{auth.current_user().id}")
    return redirect(url_for("console.duplicates"), 303)
