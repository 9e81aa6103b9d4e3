"""Taking away what a page lists, as a table."""

from __future__ import annotations

from flask import Response, request

from core import db
from core.errors import NotFound
from crm import exporting, rights
from intake import export_answer
from rules import extract


def export(kind: str) -> Response:
    """All of one kind that is in sight, or those of a segment."""
    form = request.args.get("format", "xlsx")
    segment = request.args.get("segment", "").replace("\0", "") or None
    if kind not in exporting.TABLES or form not in exporting.FORMATS:
        raise NotFound("There is nothing of this kind to export.")
    with db.reading() as session:
        names = extract.opened(session, kind, segment)
    rows = extract.rows(db.reading, kind, names, segment=segment, sight=rights.present())
    return export_answer.answered(kind, form, names, rows)
