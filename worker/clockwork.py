"""What happens because time has passed: activities fall due, leads lie idle, rules come again.

Each row is taken in a transaction of its own, the lead's row first as everywhere, and says itself what
rules were told of it already: two schedulers, or one that was killed, tell nothing twice and miss nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import and_, delete, or_, select
from sqlalchemy.orm import Session

from core import clock, cron, db
from core.errors import Unavailable
from core.ids import new_id
from core.logs import logger
from core.settings import settings
from crm import notifications, workspace
from crm.element import element_of
from crm.happening import Happening, about
from intake import screening
from models.activity import Activity, ActivityState
from models.company import Company
from models.deal import Deal
from models.lead import OPEN, STRAIGHT, Lead
from models.offer import Offer, OfferState
from models.pipeline import StageGroup
from models.rule import CronRule, Trace
from models.sla import SlaClock
from models.source import Source
from rules import engine, ruleset, sla, subject
from rules.assignment import ladder
from rules.schema import Rule

#: So long after its time a planned activity is overdue and not only due.
OVERDUE_AFTER = timedelta(minutes=15)
#: Times of a rule that were missed longer ago than this are not made up for.
_CAUGHT_UP = timedelta(days=1)
#: So long what people were told in the console is kept.
NOTIFICATIONS_KEPT = timedelta(days=90)
_MOST = 200
_CHUNK = 1000
log = logger(__name__)


def activities() -> int:
    """Tells rules of activities that are due, and of those that were not done in time."""
    now = clock.now()
    with db.reading() as session:
        ids = session.execute(
            select(Activity.id, Activity.lead_id, Activity.deal_id, Activity.contact_id)
            .where(Activity.state == ActivityState.PLANNED, Activity.told < 2, Activity.due_at <= now)
            .where((Activity.told == 0) | (Activity.due_at <= now - OVERDUE_AFTER))
            .order_by(Activity.due_at)
            .limit(_MOST)
        ).all()
    for activity_id, *on in ids:
        with db.unit_of_work() as session:
            subject.hold_rows(session, *on)
            _tell_activity(session, activity_id)
    return len(ids)


def _tell_activity(session: Session, activity_id: int) -> None:
    now = clock.now()
    activity = session.scalars(
        select(Activity)
        .where(Activity.id == activity_id, Activity.state == ActivityState.PLANNED, Activity.due_at <= now)
        .with_for_update(of=Activity, skip_locked=True)
    ).one_or_none()
    if activity is None:
        return
    overdue = activity.due_at <= now - OVERDUE_AFTER
    kinds = [
        k for k, told in (("activity.due", 1), ("activity.overdue", 2)) if activity.told < told <= 1 + overdue
    ]
    activity.told = 1 + overdue
    element = element_of(session, activity)
    if element is not None and not isinstance(element, Company):
        happenings = [about(element, kind, activity=activity) for kind in kinds]
        engine.react(session, happenings, workspace=workspace.load(session), event_id=new_id())


def first_answers() -> int:
    """Tells rules of the marks that clocks to the first answer have come to."""
    with db.reading() as session:
        ids = session.scalars(
            select(SlaClock.lead_id)
            .where(SlaClock.next_at <= clock.now())
            .order_by(SlaClock.next_at)
            .limit(_MOST)
        ).all()
    for lead_id in ids:
        with db.unit_of_work() as session:
            lead = _locked(session, lead_id)
            row = session.get(SlaClock, lead_id, with_for_update=True, populate_existing=True)
            if lead is not None and row is not None:
                here = workspace.load(session)
                engine.react(session, sla.mark(session, row, lead, here), workspace=here, event_id=new_id())
    return len(ids)


def waiting_leads() -> int:
    """Gives leads without an owner to whoever can have them now, oldest first; raises the alarm."""
    with db.reading() as session:
        after = timedelta(minutes=workspace.load(session).alarm_minutes)
        ids = _turn_of(session)
        expired = session.scalars(
            select(Offer.lead_id)
            .where(Offer.state == OfferState.OPEN, Offer.expires_at <= clock.now())
            .distinct()
        ).all()
    for lead_id in sorted({*ids, *expired}):
        try:
            with db.unit_of_work() as session:
                lead = _locked(session, lead_id)
                if lead is not None:
                    here = workspace.load(session)
                    happened = ladder.expire(session, lead, here) or ladder.catch(session, lead, here)
                    happened += ladder.alarm(session, lead, after)
                    engine.react(session, happened, workspace=here, event_id=new_id())
        except Unavailable:
            raise
        except Exception:  # one lead that is broken must not keep the others waiting
            log.exception("lead.not_given", lead_id=lead_id)
    return len(ids)


#: Up to which lead the waiting ones were looked at; from there the next look goes on.
_looked_at = 0


def _turn_of(session: Session) -> list[int]:
    """The next leads without an owner, oldest first; after the newest it begins anew."""
    global _looked_at
    deals = select(Deal.lead_id).where(Deal.state == StageGroup.OPEN, Deal.owner_id.is_(None))
    waits = or_(Lead.status.in_(OPEN), and_(Lead.closing_reason == STRAIGHT, Lead.id.in_(deals)))
    chosen = select(Lead.id).where(Lead.owner_id.is_(None), waits).order_by(Lead.id)
    if workspace.load(session).catch_all is None:
        # Without one, an old lead that nobody wanted, such as an imported one, has nothing to wait for.
        teams = [s.id for s in session.scalars(select(Source)) if s.settings.get("team")]
        wanted = or_(Lead.wish.is_not(None), Lead.source_id.in_(teams))
        chosen = chosen.where(or_(Lead.alarmed_at.is_(None), Lead.waits, wanted))
    ids = list(session.scalars(chosen.where(Lead.id > _looked_at).limit(_MOST)))
    _looked_at = ids[-1] if len(ids) == _MOST else 0
    return ids


def forget_traces() -> int:
    """Deletes what was kept for longer than the operator said of why leads went where they went."""
    before = clock.now() - timedelta(days=settings().trace_days)
    forgotten = 0
    while True:
        with db.unit_of_work() as session:
            ids = session.scalars(
                select(Trace.id).where(Trace.at < before).order_by(Trace.id).limit(_CHUNK)
            ).all()
            session.execute(delete(Trace).where(Trace.id.in_(ids)))
        forgotten += len(ids)
        if len(ids) < _CHUNK:
            return forgotten


def forget_notifications() -> int:
    """Deletes what people were told in the console a while ago."""
    forgotten = 0
    while True:
        with db.unit_of_work() as session:
            some = notifications.forget(session, before=clock.now() - NOTIFICATIONS_KEPT, most=_CHUNK)
        forgotten += some
        if some < _CHUNK:
            return forgotten


def forget_prints() -> None:
    """Deletes the marks by which texts and proofs that come again are known, a day after."""
    with db.unit_of_work() as session:
        screening.forget(session)


def cron_rules() -> int:
    """Starts the rules whose time has come on the open leads, some at a time; says how many it looked at."""
    with db.reading() as session:
        rules = ruleset.active(session)
        due = list(rules.rules.get("cron", ())) if rules else []
    looked = 0
    for rule in due:
        with db.unit_of_work() as session:
            looked += _work_through(session, rule)
    return looked


def _work_through(session: Session, rule: Rule) -> int:
    here = workspace.load(session)
    zone, now = ZoneInfo(rule.timezone or here.timezone), clock.now()
    row = session.get(CronRule, rule.name, with_for_update=True, populate_existing=True)
    if row is None or row.at != f"{rule.at} {zone.key}":
        _begin(session, row, rule, zone, now)
        return 0
    if row.running_at is None:
        if row.next_at > now:
            return 0
        row.running_at, row.last_lead_id = max(row.next_at, now - _CAUGHT_UP), 0
        row.next_at = cron.following(rule.at or "", zone, row.running_at) or datetime.max.replace(
            tzinfo=now.tzinfo
        )
    chosen = (
        select(Lead)
        .where(Lead.id > row.last_lead_id, Lead.status.in_(OPEN))
        .order_by(Lead.id)
        .limit(_MOST)
        .with_for_update(of=Lead)
    )
    leads = session.scalars(chosen).all()
    at = row.running_at.isoformat()
    for lead in leads:
        happening = Happening("cron", lead, {"at": at})
        engine.start(
            session, rule.name, happening, workspace=here, cause=f"cron {rule.name} {at}", told=False
        )
    row.last_lead_id = leads[-1].id if leads else row.last_lead_id
    if len(leads) < _MOST:
        row.running_at, row.last_lead_id = None, None
    return len(leads)


def _begin(session: Session, row: CronRule | None, rule: Rule, zone: ZoneInfo, now: datetime) -> None:
    """A rule that is new, or has another time now, begins with the next one."""
    if row is None:
        row = CronRule(rule=rule.name)
        session.add(row)
    row.at = f"{rule.at} {zone.key}"
    row.next_at = cron.following(rule.at or "", zone, now) or datetime.max.replace(tzinfo=now.tzinfo)
    row.running_at, row.last_lead_id = None, None


def _locked(session: Session, lead_id: int) -> Lead | None:
    return session.get(Lead, lead_id, with_for_update=True, populate_existing=True)
