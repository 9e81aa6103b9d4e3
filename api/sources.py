"""Sources: the configured ways in, without their settings, which hold secrets."""

from __future__ import annotations

from flask import Response
from pydantic import BaseModel
from sqlalchemy import select

from api.paging import Page, page
from api.parameters import PageQuery
from api.resource import answer, group
from core import db
from models.source import Channel
from models.source import Source as SourceRow

resource = group("sources", "The configured ways in")


class Source(BaseModel):
    """A form, a mailbox, a line, the API."""

    key: str
    channel: Channel
    name: str
    active: bool


@resource.get("/sources", responses={200: Page[Source]})
def list_sources(query: PageQuery) -> Response:
    """The sources, active or not."""
    with db.reading() as session:
        rows, following = page(session, select(SourceRow), SourceRow.id, query, of="sources")
    items = [Source(key=r.key, channel=r.channel, name=r.name, active=r.active) for r in rows]
    return answer(Page[Source](items=items, next_cursor=following))
