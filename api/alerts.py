"""Alerts: what is not as it should be, and was not."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from flask import Response
from pydantic import BaseModel, Field
from sqlalchemy import select

from api.paging import Page, page
from api.parameters import PageQuery
from api.resource import answer, group
from core import db
from models.alert import Alert as AlertRow
from models.source import Channel, Source

resource = group("alerts", "What somebody should look at")


class AlertQuery(PageQuery):
    """Which alerts."""

    open: bool | None = Field(None, description="Only those that are open, or only those that are over")


class Alert(BaseModel):
    """Something that is not as it should be; it ends by itself."""

    id: int
    kind: str = Field(
        description="silence, mailbox_stopped, mailbox_unwatched, mailbox_interrupted or token_expires"
    )
    source: str
    channel: Channel
    words: str
    numbers: dict[str, Any]
    began_at: datetime
    ended_at: datetime | None
    told_at: datetime | None = Field(description="When managers were mailed")

    @classmethod
    def of(cls, row: AlertRow, source: Source) -> Self:
        """An alert as it is told."""
        return cls(
            id=row.id,
            kind=row.kind,
            source=source.key,
            channel=source.channel,
            words=row.words,
            numbers=row.numbers,
            began_at=row.began_at,
            ended_at=row.ended_at,
            told_at=row.told_at,
        )


@resource.get("/alerts", responses={200: Page[Alert]})
def list_alerts(query: AlertQuery) -> Response:
    """The alerts, newest first."""
    chosen = select(AlertRow)
    if query.open is not None:
        chosen = chosen.where(AlertRow.ended_at.is_(None) if query.open else AlertRow.ended_at.is_not(None))
    with db.reading() as session:
        rows, following = page(session, chosen, AlertRow.id, query, of="alerts")
        ids = {row.source_id for row in rows}
        known = {s.id: s for s in session.scalars(select(Source).where(Source.id.in_(ids)))}
        items = [Alert.of(row, known[row.source_id]) for row in rows]
    return answer(Page[Alert](items=items, next_cursor=following))
