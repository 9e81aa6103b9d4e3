"""Which leads are asked for."""

from __future__ import annotations

import sqlite3
from typing import cast

from pydantic import Field
from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select, type_coerce
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import InstrumentedAttribute, Session

from api.parameters import Email, Instant, Line, PageQuery, e164
from core.errors import Invalid
from crm import catalogue
from models.contact_point import ContactPoint, PointKind
from models.lead import Lead, LeadStatus
from models.source import Channel, Source
from models.user import User

_SEARCHED = (Lead.title, Lead.name, Lead.email, Lead.company, Lead.message)


class LeadQuery(PageQuery):
    """The filters of leads; a lead must fit them all."""

    email: Email | None = Field(None, description="Any address of the person, in any case")
    phone: Line | None = Field(
        None, description="Any number of the person, in E.164 or as dialled in the country"
    )
    status: Line | None = Field(None, description="One that there is, or one of the workspace's own")
    owner: Line | None = Field(None, description="E-mail address of the user")
    source: Line | None = Field(None, description="The source's key")
    channel: Channel | None = None
    tag: Line | None = None
    q: Line | None = Field(None, description="Text in title, name, e-mail, company or message, in any case")
    created_after: Instant | None = None
    unanswered: bool | None = Field(
        None, description="Whether they were heard of after anybody of ours last turned to them"
    )


def matching(session: Session, asked: LeadQuery) -> Select[Lead]:
    """The leads that fit; raises Invalid for a telephone number that is none."""
    chosen = select(Lead).where(_of_status(session, asked.status))
    if asked.email is not None:
        chosen = chosen.where(_of_person(session, PointKind.EMAIL, asked.email, Lead.email))
    if asked.phone is not None:
        number = e164(session, asked.phone)
        chosen = chosen.where(_of_person(session, PointKind.PHONE, number, Lead.phone))
    if asked.owner is not None:
        owner = select(User.id).where(func.lower(User.email) == asked.owner.lower())
        chosen = chosen.where(Lead.owner_id.in_(owner))
    if asked.source is not None:
        chosen = chosen.where(Lead.source_id.in_(select(Source.id).where(Source.key == asked.source)))
    if asked.channel is not None:
        chosen = chosen.where(Lead.channel == asked.channel)
    if asked.tag is not None:
        chosen = chosen.where(_tagged(session, asked.tag))
    if asked.q is not None:
        chosen = chosen.where(_mentions(session, asked.q))
    if asked.created_after is not None:
        chosen = chosen.where(Lead.created_at > asked.created_after)
    if asked.unanswered is not None:
        waits = Lead.waits_for_answer()
        chosen = chosen.where(waits if asked.unanswered else ~waits)
    return chosen


def _of_status(session: Session, asked: str | None) -> ColumnElement[bool]:
    if asked is None:
        return Lead.status != LeadStatus.MERGED
    own = catalogue.load(session).lead_statuses
    if asked in (s.key for s in own):
        return Lead.own_status == asked
    if asked not in list(LeadStatus):
        known = ", ".join([*LeadStatus, *(s.key for s in own)])
        raise Invalid("some values are not acceptable", {"status": f"is none of {known}"})
    return and_(Lead.status == asked, Lead.own_status.is_(None))


def _of_person(
    session: Session, kind: PointKind, value: str, column: InstrumentedAttribute[str | None]
) -> ColumnElement[bool]:
    person_id = session.scalar(
        select(ContactPoint.person_id).where(ContactPoint.kind == kind, ContactPoint.value == value)
    )
    # A number that a family shares is one person's contact point, and stands on the others' leads too.
    return or_(Lead.person_id == person_id, column == value)


def _tagged(session: Session, tag: str) -> ColumnElement[bool]:
    if session.get_bind().dialect.name == "postgresql":
        return type_coerce(Lead.tags, JSONB).contains([tag])
    each = func.json_each(Lead.tags).table_valued("value")
    return exists(select(1).select_from(each).where(each.c.value == tag).correlate(Lead))


def _mentions(session: Session, text: str) -> ColumnElement[bool]:
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    if session.get_bind().dialect.name == "postgresql" or text.isascii():
        return or_(*(column.ilike(f"%{escaped}%", escape="\\") for column in _SEARCHED))
    # SQLite only knows the case of A to Z; Python knows all of them.
    connection = cast(sqlite3.Connection, session.connection().connection.driver_connection)
    connection.create_function("casefold", 1, _casefold, deterministic=True)
    return or_(*(func.casefold(c).like(f"%{escaped.casefold()}%", escape="\\") for c in _SEARCHED))


def _casefold(text: str | None) -> str | None:
    return text.casefold() if text is not None else None
