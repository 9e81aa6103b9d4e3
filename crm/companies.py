"""Companies: made and changed."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from core import clock
from core.rows import insert_alone
from crm import fields, timeline
from models.company import Company


def create(session: Session, *, name: str, actor: str, **values: Any) -> Company:
    """Makes a company; `values` are columns."""
    now = clock.now()
    given = {**values, "fields": fields.merged({}, values.get("fields") or {})}
    company = Company(name=name, created_at=now, updated_at=now, **{"tags": [], **given})
    insert_alone(session, company)
    timeline.record(
        session, company, kind="company_created", summary=f"Company made: {company.name}", actor=actor
    )
    return company
