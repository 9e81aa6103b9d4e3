"""Makes the deals that come again when their time has come: of each time one."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, db
from core.errors import Unavailable
from core.ids import new_id
from core.logs import logger
from crm import deal_templates, deals, workspace
from models.deal_template import DealTemplate
from rules import engine

_MOST = 50
log = logger(__name__)


def make_due() -> int:
    """Makes the next deal of each template that is due, the longest due first; says how many.

    What was missed while nobody was there is made up for one time a turn, in its order.
    """
    with db.reading() as session:
        ids = session.scalars(
            select(DealTemplate.id)
            .where(DealTemplate.next_at <= clock.now(), DealTemplate.paused.is_(False))
            .order_by(DealTemplate.next_at, DealTemplate.id)
            .limit(_MOST)
        ).all()
    made = 0
    for template_id in ids:
        try:
            with db.unit_of_work() as session:
                made += _turn(session, template_id)
        except Unavailable:
            raise
        except Exception:  # one template that is broken must not keep the others waiting
            log.exception("deal_template.not_made", template_id=template_id)
    return made


def _turn(session: Session, template_id: int) -> int:
    template = session.scalars(
        select(DealTemplate)
        .where(DealTemplate.id == template_id, DealTemplate.next_at <= clock.now())
        .where(DealTemplate.paused.is_(False))
        .with_for_update(of=DealTemplate, skip_locked=True)
    ).one_or_none()
    if template is None:
        return 0
    made = deal_templates.make(session, template)
    if made is None:
        log.warning("deal_template.ended", template_id=template_id, why=template.ended_why)
        return 0
    happened = deals.told(made, "deal.created", {})
    engine.react(session, happened, workspace=workspace.load(session), event_id=new_id())
    return 1
