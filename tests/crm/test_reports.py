"""Reports say what a slow look in plain words says, on random data, in the workspace's zone."""

from __future__ import annotations

import contextlib
import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from math import ceil
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from core.db import Database
from core.errors import Invalid, NotFound
from crm import rights
from crm.reports import registry
from crm.reports.asked import Asked, asked
from crm.reports.table import Table
from models.activity import Activity, ActivityState
from models.contact_point import Person
from models.deal import Deal, StageStay
from models.lead import Lead, LeadStatus
from models.pipeline import Pipeline, Stage, StageGroup
from models.report import SourceCost
from models.source import Channel, Source
from models.user import Team, TeamMember, User
from tests.factories import WORKSPACE, configure_in, enquire

# Amsterdam's clocks went back on 25 October 2026 at three: days are of 23, 24 and 25 hours.
ZONE = "Europe/Amsterdam"
SINCE, UNTIL = date(2026, 9, 28), date(2026, 11, 3)
NOW = datetime(2026, 11, 5, 12, tzinfo=UTC)
CURRENCIES = "  - {code: USD, rate: 5.1}\n  - {code: JPY, rate: 0.034}"
TIMES = ("day", "week", "month")


class Undo(Exception):
    """Takes an example back."""


def fill(session: Session, chance: random.Random) -> None:
    configure_in(session, WORKSPACE.replace("America/Sao_Paulo", ZONE) + f"\ncurrencies:\n{CURRENCIES}\n")
    line = Pipeline(key="p", name="P", position=-1)
    groups = [("a", "open"), ("b", "open"), ("c", "open"), ("won", "won"), ("lost", "lost")]
    line.stages = [
        Stage(key=k, name=k, group=StageGroup(g), position=n, probability=n * 20)
        for n, (k, g) in enumerate(groups)
    ]
    session.add_all([line, Team(key="none", name="none")])
    session.flush()
    sources = session.scalars(select(Source)).all()
    users = [*session.scalars(select(User.id)), None]

    def moment() -> datetime:
        # Also beyond the days that are asked for, near midnight, and in the hour that comes twice.
        edge = chance.choice(
            [
                datetime(2026, 10, 25, 0, 0, tzinfo=UTC),
                datetime(2026, 9, 27, 22, tzinfo=UTC),
                datetime(2026, 11, 3, 23, tzinfo=UTC),
            ]
        )
        at = (
            edge + timedelta(minutes=chance.randrange(-180, 180))
            if chance.random() < 0.4
            else datetime(2026, 9, 20, tzinfo=UTC) + timedelta(seconds=chance.randrange(50 * 86400))
        )
        return at.replace(microsecond=0)

    leads = []
    for _ in range(chance.randrange(25)):
        person = Person()
        session.add(person)
        session.flush()
        at, source = moment(), chance.choice(sources)
        lead = Lead(
            title="t", status=chance.choice(list(LeadStatus)), channel=source.channel, source_id=source.id, owner_id=chance.choice(users),
            person_id=person.id, created_at=at, updated_at=at, last_inbound_at=at, attribution=chance.choice([{}, {"utm_campaign": "fair"}, {"utm_campaign": ""}, {"utm_campaign": "spring"}]),
            first_response_at=chance.choice([None, at + timedelta(seconds=chance.randrange(10_000))]), in_time=chance.choice([None, False, True]),
        )  # fmt: skip
        session.add(lead)
        session.flush()
        leads.append(lead)
    for _ in range(chance.randrange(20)):
        at, stages = moment(), chance.sample(line.stages, chance.randrange(1, 4))
        last = stages[-1]
        deal = Deal(
            title="d", pipeline_id=line.id, stage_id=last.id, state=last.group, amount=chance.choice([None, Decimal("10.01"), Decimal("99.9999"), Decimal(7)]),
            currency=chance.choice(["BRL", "USD", "JPY", "CHF"]), owner_id=chance.choice(users), source_id=chance.choice([None, *(s.id for s in sources)]),
            lead_id=chance.choice([None, *(x.id for x in leads)]), created_at=at, updated_at=at, stage_since=at, probability=chance.choice([None, 35]),
            closed_at=None if last.group is StageGroup.OPEN else moment(), closing_reason=chance.choice([None, "price", "other"]),
        )  # fmt: skip
        session.add(deal)
        session.flush()
        for n, stage in enumerate(stages):
            left = at + timedelta(seconds=chance.randrange(86400 * 9)) if n < len(stages) - 1 else None
            session.add(StageStay(deal_id=deal.id, stage_id=stage.id, entered_at=at, left_at=left, actor="x"))
            at = left or at
    for _ in range(chance.randrange(20)):
        at, state = moment(), chance.choice(list(ActivityState))
        session.add(
            Activity(
                type=chance.choice(["call", "task"]),
                subject="s",
                due_at=at,
                state=state,
                owner_id=chance.choice(users),
                outcome=chance.choice([None, "fine"]),
                created_at=at,
                done_at=at + timedelta(seconds=chance.randrange(-9, 9))
                if state is not ActivityState.PLANNED
                else None,
            )
        )
    for _ in range(chance.randrange(4)):
        begun = SINCE + timedelta(days=chance.randrange(-20, 40))
        session.add(
            SourceCost(
                source_id=chance.choice(sources).id,
                campaign=chance.choice([None, "fair"]),
                since=begun,
                until=begun + timedelta(days=chance.randrange(30)),
                amount=Decimal(chance.randrange(1, 10_000)) / 100,
                currency=chance.choice(["BRL", "USD"]),
                created_at=NOW,
                updated_at=NOW,
            )
        )
    session.flush()


class Slow:
    """The reports in plain words, from every row there is."""

    def __init__(self, session: Session, what: Asked, by: str, seen: rights.Sight | None) -> None:
        self.what, self.by, self.session, self.seen = what, by, session, seen
        self.leads = [
            x for x in self.all(Lead) if x.status is not LeadStatus.MERGED and self.fits(x, x.created_at)
        ]
        self.deals = [d for d in self.all(Deal) if what.owners is None or d.owner_id in what.owners]
        self.names = {m: {r.id: r.name for r in self.all(m)} for m in (Source, User, Team)}

    def all(self, table: Any) -> list[Any]:
        rows = list(self.session.scalars(select(table)))
        return [r for r in rows if self.is_seen(r)] if table in (Lead, Deal, Activity) else rows

    def is_seen(self, row: Any) -> bool:
        """Whether it is theirs, or nobody's where that is seen too."""
        seen = self.seen
        return seen is None or row.owner_id in seen.users or (seen.unowned and row.owner_id is None)

    def inside(self, at: datetime | None) -> bool:
        return at is not None and self.what.since <= at.astimezone(self.what.zone).date() <= self.what.until

    def fits(self, row: Any, at: datetime | None) -> bool:
        return self.inside(at) and (self.what.owners is None or row.owner_id in self.what.owners)

    def keys(self, row: Any, at: datetime) -> list[str]:
        """Under what a row counts: under each of its owner's teams."""
        day = at.astimezone(self.what.zone).date()
        match self.by:
            case "day":
                return [day.isoformat()]
            case "week":
                return [(day - timedelta(days=day.weekday())).isoformat()]
            case "month":
                return [day.replace(day=1).isoformat()]
            case "source":
                return [self.names[Source].get(row.source_id, "(none)")]
            case "owner":
                return [self.names[User].get(row.owner_id, "(none)")]
            case "team":
                mine = [
                    self.names[Team][m.team_id] for m in self.all(TeamMember) if m.user_id == row.owner_id
                ]
                return mine or ["(none)"]
            case "channel":
                found = getattr(row, "channel", None) or (
                    self.session.get(Source, row.source_id).channel if row.source_id else None
                )  # type: ignore[union-attr]
                return [found.value if found else "(none)"]
            case "campaign":
                lead = (
                    row
                    if isinstance(row, Lead)
                    else self.session.get(Lead, row.lead_id)
                    if row.lead_id
                    else None
                )
                return [
                    (lead.attribution.get("utm_campaign") if lead and self.is_seen(lead) else None)
                    or "(none)"
                ]
        return [str(getattr(row, self.by) or "(none)")]

    def home(self, deals: Iterable[Any], times: Any = lambda d: Decimal(1)) -> Decimal:
        worth = sum(
            (
                d.amount * times(d) * self.what.rates[d.currency]
                for d in deals
                if d.amount is not None and d.currency in self.what.rates
            ),
            Decimal(0),
        )
        return worth.quantize(Decimal("0.01"), ROUND_HALF_UP)

    def grouped(self, rows: Iterable[Any], at: str) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = defaultdict(list)
        for row in rows:
            for key in self.keys(row, getattr(row, at)):
                found[key].append(row)
        return found


def percent(part: Any, whole: Any) -> Decimal | None:
    return (Decimal(part) * 100 / Decimal(whole)).quantize(Decimal("0.1"), ROUND_HALF_UP) if whole else None


def times(values: list[int]) -> tuple[Any, ...]:
    """How many, the median and 90 % by nearest rank, the mean."""
    if not values:
        return (0, None, None, None)
    ranked = sorted(values)
    mean = (Decimal(sum(ranked)) / len(ranked)).quantize(Decimal(1), ROUND_HALF_UP)
    return (
        len(ranked),
        ranked[ceil(len(ranked) * 0.5) - 1],
        ranked[ceil(len(ranked) * 9 / 10) - 1],
        int(mean),
    )


def between(begun: datetime, ended: datetime) -> int:
    return int((ended - begun).total_seconds())


def slow(
    session: Session, kind: str, what: Asked, by: str, seen: rights.Sight | None
) -> Counter[tuple[Any, ...]]:
    s = Slow(session, what, by, seen)
    rows: list[tuple[Any, ...]] = []
    deals_of: dict[int | None, list[Any]] = defaultdict(list)
    for deal in s.all(Deal):
        deals_of[deal.lead_id].append(deal)
    line = session.scalars(select(Pipeline).where(Pipeline.key == "p")).one()
    if kind == "funnel":
        rows += [
            ("leads", st_.value, "open", n, None, None)
            for st_ in (LeadStatus.NEW, LeadStatus.IN_PROGRESS)
            if (
                n := sum(
                    x.status is st_ and (what.owners is None or x.owner_id in what.owners)
                    for x in s.all(Lead)
                )
            )
        ]
        for stage in line.stages:
            here = [d for d in s.deals if d.stage_id == stage.id]
            expected = s.home(
                here,
                lambda d, p=stage.probability: Decimal(p if d.probability is None else d.probability) / 100,
            )
            rows.append(("deals", stage.name, stage.group.value, len(here), s.home(here), expected))
    if kind == "leads":
        for key, leads in s.grouped(s.leads, "created_at").items():
            n, won = len(leads), [x for x in leads if any(d.state is StageGroup.WON for d in deals_of[x.id])]
            converted, dealt = (
                sum(x.status is LeadStatus.CONVERTED for x in leads),
                sum(bool(deals_of[x.id]) for x in leads),
            )
            worth = s.home(d for x in leads for d in deals_of[x.id] if d.state is StageGroup.WON)
            rows.append(
                (
                    key,
                    n,
                    converted,
                    percent(converted, n),
                    sum(x.status is LeadStatus.JUNK for x in leads),
                    dealt,
                    percent(dealt, n),
                    len(won),
                    worth,
                )
            )
    if kind == "first-response":
        for key, leads in s.grouped(s.leads, "created_at").items():
            met, late = (sum(x.in_time is answer for x in leads) for answer in (True, False))
            took = [between(x.created_at, x.first_response_at) for x in leads if x.first_response_at]
            rows.append((key, len(leads), *times(took), met, late, percent(met, met + late)))
    if kind == "conversion":
        opened = [x for x in line.stages if x.group is StageGroup.OPEN]
        stays: dict[int, set[int]] = defaultdict(set)
        for stay in s.all(StageStay):
            stays[stay.deal_id].add(stay.stage_id)
        won = {x.id for x in line.stages if x.group is StageGroup.WON}
        for key, deals in s.grouped([d for d in s.deals if s.inside(d.created_at)], "created_at").items():
            before = len(deals)
            for place, name in enumerate([*(x.name for x in opened), "Won"]):
                beyond = {x.id for x in opened[place:]} | won
                count = sum(bool(stays[d.id] & beyond) for d in deals)
                rows.append(
                    (key, name, len(deals), count, percent(count, len(deals)), percent(count, before))
                )
                before = count
    if kind == "time-in-stage":
        mine = {d.id for d in s.deals}
        for stage in line.stages:
            took = [
                between(x.entered_at, x.left_at)
                for x in s.all(StageStay)
                if x.stage_id == stage.id and x.deal_id in mine and s.inside(x.left_at)
            ]
            rows.append(
                (stage.name, stage.group.value, *times(took), sum(d.stage_id == stage.id for d in s.deals))
            )
    closed = [d for d in s.deals if s.inside(d.closed_at) and d.state is not StageGroup.OPEN]
    if kind == "wins":
        for key, deals in s.grouped(closed, "closed_at").items():
            won_ = [d for d in deals if d.state is StageGroup.WON]
            lost = [d for d in deals if d.state is StageGroup.LOST]
            worth = s.home(won_)
            each = (worth / len(won_)).quantize(Decimal("0.01"), ROUND_HALF_UP) if won_ else None
            rows.append(
                (key, len(won_), len(lost), percent(len(won_), len(deals)), worth, each, s.home(lost))
            )
    if kind == "lost-reasons":
        lost = [d for d in closed if d.state is StageGroup.LOST]
        for reason in {d.closing_reason for d in lost}:
            theirs = [d for d in lost if d.closing_reason == reason]
            rows.append((reason or "(none)", len(theirs), percent(len(theirs), len(lost)), s.home(theirs)))
    if kind == "activities":
        fitting = [a for a in s.all(Activity) if s.fits(a, a.due_at)]
        for key, some in s.grouped(fitting, "due_at").items():
            done = [a for a in some if a.state is ActivityState.DONE]
            on_time = sum(a.done_at <= a.due_at for a in done)
            planned = [a for a in some if a.state is ActivityState.PLANNED]
            cancelled = sum(a.state is ActivityState.CANCELLED for a in some)
            rows.append(
                (
                    key,
                    len(some),
                    len(done),
                    on_time,
                    percent(on_time, len(done)),
                    cancelled,
                    len(planned),
                    sum(a.due_at < NOW for a in planned),
                )
            )
    if kind == "returns":
        paid: dict[str, Decimal] = defaultdict(Decimal)
        for cost in s.all(SourceCost):
            days = [cost.since + timedelta(days=n) for n in range((cost.until - cost.since).days + 1)]
            asked_for = [d for d in days if what.since <= d <= what.until]
            key = {
                "source": cost.source.name,
                "channel": cost.source.channel.value,
                "campaign": cost.campaign or "(none)",
            }[by]
            if asked_for:
                paid[key] += cost.amount * len(asked_for) / len(days) * what.rates[cost.currency]
        by_key = s.grouped(s.leads, "created_at")
        for key in {*by_key, *paid}:
            leads, spent = by_key.get(key, []), paid[key].quantize(Decimal("0.01"), ROUND_HALF_UP)
            worth = s.home(d for x in leads for d in deals_of[x.id] if d.state is StageGroup.WON)
            each = (spent / len(leads)).quantize(Decimal("0.01"), ROUND_HALF_UP) if leads and spent else None
            rows.append((key, spent, len(leads), each, worth, worth - spent, percent(worth - spent, spent)))
    return Counter(rows)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32))
def test_each_report_says_what_a_slow_look_says(database: Database, seed: int) -> None:
    chance = random.Random(seed)
    with contextlib.suppress(Undo), database.unit_of_work() as session, clock.frozen(NOW):
        fill(session, chance)
        # Who sees only what some have, or what nobody has as well, has only that counted.
        what = asked(session, since=SINCE, until=UNTIL, team=chance.choice([None, "inbound"]))
        users = frozenset(chance.sample(list(session.scalars(select(User.id))), 2))
        seen = chance.choice([None, rights.Sight(users, unowned=True), rights.Sight(users, unowned=False)])
        for report in registry.REPORTS:
            for by in report.by or (None,):
                session.info["reading"] = True
                with rights.seeing(seen):
                    made = registry.make(session, report.kind, what, by=by)
                session.info.clear()
                assert Counter(map(tuple, made.rows)) == slow(
                    session, report.kind, what, by or "source", seen
                ), (
                    report.kind,
                    by,
                )
                assert {len(r) for r in made.rows} <= {len(made.columns)}
                unknown = any("CHF" in note for note in made.notes)
                assert not unknown or any(d.currency == "CHF" for d in session.scalars(select(Deal)))
        raise Undo


def test_rows_stand_in_order_and_what_cannot_be_asked_is_named(database: Database) -> None:
    with database.unit_of_work() as session, clock.frozen(NOW):
        fill(session, random.Random(5))
        what = asked(session, since=SINCE, until=UNTIL)
        by_day: Table = registry.make(session, "leads", what, by="day")
        assert [r[0] for r in by_day.rows] == sorted(str(r[0]) for r in by_day.rows)
        numbers = [r[1] for r in registry.make(session, "leads", what, by="source").rows]
        assert numbers == sorted(numbers, reverse=True)
        for wrong, field in (
            ({"since": UNTIL, "until": SINCE}, "until"), ({"since": date(1, 1, 1)}, "since"), ({"until": date(9999, 12, 31)}, "since"),
            ({"since": date(1999, 1, 1), "until": UNTIL}, "since"), ({"owner": "x@y.test"}, "owner"), ({"team": "x"}, "team"),
            ({"source": "x"}, "source"), ({"channel": "fax"}, "channel"),
        ):  # fmt: skip
            with pytest.raises(Invalid) as caught:
                asked(session, **wrong)  # type: ignore[arg-type]
            assert list(caught.value.fields) == [field]
        with pytest.raises(NotFound):
            registry.make(session, "profits", what, by=None)
        with pytest.raises(Invalid):
            registry.make(session, "returns", what, by="team")
        narrowed = asked(
            session,
            since=SINCE,
            until=UNTIL,
            team="inbound",
            owner="ana@acme.test",
            source="contact",
            channel=Channel.FORM,
        )
        assert len(narrowed.owners or ()) == 1
        assert sum(
            int(r[1] or 0) for r in registry.make(session, "leads", narrowed, by="source").rows
        ) <= sum(map(int, numbers))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "stands"),
    [("fair", "fair"), ("", None), (None, None), (7, "7"), ("ã" * 5000, "ã" * 200), ({"x": 1}, "{'x': 1}")],
)
def test_a_lead_stands_under_the_campaign_that_it_came_by(
    database: Database, said: object, stands: str | None
) -> None:
    with database.unit_of_work() as session:
        configure_in(session, WORKSPACE)
        lead = enquire(session, attribution={"utm_campaign": said, "gclid": "x"}).lead
        lead_id = lead.id
    with database.unit_of_work() as session:
        lead = session.get_one(Lead, lead_id)
        assert lead.campaign == stands
        lead.attribution = {"utm_campaign": "another"}
        session.flush()
        rows = registry.make(session, "leads", asked(session), by="campaign").rows
    assert [row[:2] for row in rows] == [("another", 1)]
