"""Where something comes from, as people say it: one of the workspace's own sources, or a way in."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import Invalid
from models.source import Channel, Source


def find(session: Session, key: str, *, own: bool = True) -> Source:
    """The active source of this key: the workspace's own; with `own=False` else a way in.

    Raises Invalid, naming `/source`.
    """
    chosen = select(Source).where(Source.key == key, Source.active)
    if own:
        chosen = chosen.where(Source.channel == Channel.OWN)
    found = session.scalars(chosen.order_by((Source.channel == Channel.OWN).desc(), Source.id)).first()
    if found is None:
        known = session.scalars(select(Source.key).where(Source.channel == Channel.OWN, Source.active))
        words = f"is none of the workspace's: {', '.join(known)}" if own else "is no source"
        raise Invalid("some values are not acceptable", {"/source": words})
    return found
