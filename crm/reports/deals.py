"""Reports on deals: where they stand, how far they come, how long that takes, and why they are lost."""

from __future__ import annotations

from typing import Any

from sqlalchemy import case, func, select, type_coerce
from sqlalchemy.orm import Session

from crm import pipelines
from crm.reports import dimension, sql
from crm.reports.amounts import Amounts
from crm.reports.asked import Asked
from crm.reports.dimension import KEY, order
from crm.reports.percentiles import Spread, spread
from crm.reports.table import Cell, Column, Table, each, percent
from models.base import Exact
from models.deal import Deal, StageStay
from models.lead import Lead, LeadStatus
from models.pipeline import Stage, StageGroup
from models.source import Source


def funnel(session: Session, asked: Asked) -> Table:
    """Where leads and deals stand now: how many, for how much, and what of it is to be expected."""
    line = pipelines.find(session, asked.pipeline, field="pipeline")
    theirs = (Deal.pipeline_id == line.id, *asked.of_owner(Deal.owner_id), *_narrowed(asked))
    likely = func.coalesce(Deal.probability, Stage.probability)
    sums = session.execute(
        select(
            Deal.stage_id,
            Deal.currency,
            func.count(),
            type_coerce(func.sum(Deal.amount), Exact()),
            type_coerce(func.sum(Deal.amount * likely), Exact()),
        )
        .join(Stage, Stage.id == Deal.stage_id)
        .where(*theirs)
        .group_by(Deal.stage_id, Deal.currency)
    ).all()
    numbers: dict[int, int] = {}
    amounts, weighted = Amounts(), Amounts()
    for stage_id, currency, number, amount, expected in sums:
        numbers[stage_id] = numbers.get(stage_id, 0) + number
        amounts.add(asked, stage_id, currency, amount)
        weighted.add(asked, stage_id, currency, expected / 100 if expected is not None else None)
    rows: list[tuple[Cell, ...]] = [
        ("leads", status, "open", number, None, None) for status, number in _standing(session, asked)
    ]
    rows += [
        (
            "deals",
            stage.name or stage.key,
            stage.group.value,
            numbers.get(stage.id, 0),
            amounts.total(stage.id),
            weighted.total(stage.id),
        )
        for stage in line.stages
        if stage.active or stage.id in numbers
    ]
    columns = (
        Column("what", "What", "text"),
        Column("stage", "Stage", "text"),
        Column("group", "Group", "text"),
        Column("number", "Number"),
        Column("amount", "Amount", "money"),
        Column("expected", "Expected", "money"),
    )
    title = f"Funnel: {line.name or line.key}"
    return Table("funnel", title, columns, rows, None, None, asked.currency, "number", amounts.notes)


def _standing(session: Session, asked: Asked) -> list[tuple[str, int]]:
    called = func.coalesce(Lead.own_status, Lead.status)
    chosen = (
        select(called.label(KEY), func.count())
        .where(Lead.status.in_((LeadStatus.NEW, LeadStatus.IN_PROGRESS)), *asked.of_owner(Lead.owner_id))
        .group_by(KEY)
    )
    if asked.source_ids is not None:
        chosen = chosen.where(Lead.source_id.in_(asked.source_ids))
    return sorted((str(getattr(r[0], "value", r[0])), r[1]) for r in session.execute(chosen))


def _narrowed(asked: Asked) -> list[Any]:
    found: list[Any] = [Deal.source_id.in_(asked.source_ids)] if asked.source_ids is not None else []
    if asked.channel is not None:
        found.append(Deal.source_id.in_(select(Source.id).where(Source.channel == asked.channel)))
    return found


def conversion(session: Session, asked: Asked) -> Table:
    """Of the deals that were made in these days, by cohort: how many have come to each stage, or beyond."""
    line = pipelines.find(session, asked.pipeline, field="pipeline")
    stages = [s for s in line.stages if s.active and s.group is StageGroup.OPEN]
    won = [s.id for s in line.stages if s.group is StageGroup.WON]
    ranks = {s.id: place for place, s in enumerate(stages)} | dict.fromkeys(won, len(stages))
    far = (
        select(
            StageStay.deal_id,
            func.max(case(ranks, value=StageStay.stage_id, else_=-1)).label("far"),
        )
        .group_by(StageStay.deal_id)
        .subquery()
    )
    key, chosen = dimension.deals(session, asked, select(), Deal.created_at)
    reached = [
        func.coalesce(func.sum(case((far.c.far >= place, 1), else_=0)), 0) for place in range(len(stages) + 1)
    ]
    counted = (
        chosen.with_only_columns(key.label(KEY), func.count(), *reached)
        .outerjoin(far, far.c.deal_id == Deal.id)
        .where(Deal.pipeline_id == line.id)
        .group_by(KEY)
    )
    found = {row[0]: tuple(map(int, row[1:])) for row in session.execute(counted)}
    names = sql.labels(session, asked.by)
    rows: list[tuple[Cell, ...]] = []
    for cohort, (number, *at) in sorted(found.items(), key=order(asked.by)):
        before = number
        for name, count in zip([*(s.name or s.key for s in stages), "Won"], at, strict=True):
            shares = (percent(count, number), percent(count, before))
            rows.append((sql.label(cohort, names), name, number, count, *shares))
            before = count
    columns = (
        Column(asked.by, asked.by.capitalize(), "text"),
        Column("stage", "Stage", "text"),
        Column("deals", "Deals"),
        Column("reached", "Came here"),
        Column("of_all", "Of all, %", "percent"),
        Column("of_before", "Of the stage before, %", "percent"),
    )
    title = f"Conversion between stages: {line.name or line.key}"
    return Table("conversion", title, columns, rows, asked.since, asked.until, asked.currency, "reached")


def time_in_stage(session: Session, asked: Asked) -> Table:
    """How long deals that left a stage in these days had been in it; how many are there now."""
    line = pipelines.find(session, asked.pipeline, field="pipeline")
    stages = [s for s in line.stages if s.active]
    ids = [s.id for s in stages]
    theirs = [StageStay.stage_id.in_(ids), *asked.of_owner(Deal.owner_id), *_narrowed(asked)]
    left = (
        select()
        .select_from(StageStay)
        .join(Deal, Deal.id == StageStay.deal_id)
        .where(*theirs, asked.within(StageStay.left_at))
    )
    took = sql.seconds(session, StageStay.entered_at, StageStay.left_at)
    found = spread(session, StageStay.stage_id, took, left)
    here = session.execute(
        select(Deal.stage_id, func.count())
        .where(Deal.stage_id.in_(ids), *asked.of_owner(Deal.owner_id), *_narrowed(asked))
        .group_by(Deal.stage_id)
    )
    now = {row[0]: row[1] for row in here}
    rows: list[tuple[Cell, ...]] = []
    for stage in stages:
        times = found.get(stage.id, Spread()).told
        rows.append((stage.name or stage.key, stage.group.value, *times, now.get(stage.id, 0)))
    columns = (
        Column("stage", "Stage", "text"),
        Column("group", "Group", "text"),
        Column("left", "Left it"),
        Column("median", "Median", "seconds"),
        Column("p90", "90 % within", "seconds"),
        Column("mean", "Mean", "seconds"),
        Column("now", "There now"),
    )
    title = f"Time in stage: {line.name or line.key}"
    return Table("time-in-stage", title, columns, rows, asked.since, asked.until, asked.currency, "median")


def wins(session: Session, asked: Asked) -> Table:
    """Deals that were closed in these days: won and lost, for how much."""
    amounts, lost_amounts = Amounts(), Amounts()
    found: dict[Any, list[int]] = {}
    key, chosen = dimension.deals(session, asked, select(), Deal.closed_at)
    counted = (
        chosen.with_only_columns(
            key.label(KEY),
            Deal.state,
            Deal.currency,
            func.count(),
            type_coerce(func.sum(Deal.amount), Exact()),
        )
        .where(Deal.state != StageGroup.OPEN, *_of_pipeline(session, asked))
        .group_by(KEY, Deal.state, Deal.currency)
    )
    for cell, state, currency, number, amount in session.execute(counted):
        won = state is StageGroup.WON
        found.setdefault(cell, [0, 0])[0 if won else 1] += number
        (amounts if won else lost_amounts).add(asked, cell, currency, amount)
    names = sql.labels(session, asked.by)
    rows: list[tuple[Cell, ...]] = [
        (
            sql.label(cell, names),
            won,
            lost,
            percent(won, won + lost),
            amounts.total(cell),
            each(amounts.total(cell), won),
            lost_amounts.total(cell),
        )
        for cell, (won, lost) in sorted(((k, tuple(v)) for k, v in found.items()), key=order(asked.by))
    ]
    columns = (
        Column(asked.by, asked.by.capitalize(), "text"),
        Column("won", "Won"),
        Column("lost", "Lost"),
        Column("win_rate", "Won, %", "percent"),
        Column("won_amount", "Won amount", "money"),
        Column("average", "Each", "money"),
        Column("lost_amount", "Lost amount", "money"),
    )
    title, notes = f"Deals closed, by {asked.by}", amounts.notes
    return Table("wins", title, columns, rows, asked.since, asked.until, asked.currency, "won", notes)


def lost_reasons(session: Session, asked: Asked) -> Table:
    """Why the deals were lost that were closed in these days."""
    chosen = (
        select(Deal.closing_reason, Deal.currency, func.count(), type_coerce(func.sum(Deal.amount), Exact()))
        .where(
            Deal.state == StageGroup.LOST,
            asked.within(Deal.closed_at),
            *asked.of_owner(Deal.owner_id),
            *_narrowed(asked),
            *_of_pipeline(session, asked),
        )
        .group_by(Deal.closing_reason, Deal.currency)
    )
    numbers: dict[str | None, int] = {}
    amounts = Amounts()
    for reason, currency, number, amount in session.execute(chosen):
        numbers[reason] = numbers.get(reason, 0) + number
        amounts.add(asked, reason, currency, amount)
    total = sum(numbers.values())
    rows: list[tuple[Cell, ...]] = [
        (reason or "(none)", number, percent(number, total), amounts.total(reason))
        for reason, number in sorted(numbers.items(), key=lambda item: (-item[1], item[0] or ""))
    ]
    columns = (
        Column("reason", "Reason", "text"),
        Column("lost", "Lost"),
        Column("share", "Share, %", "percent"),
        Column("amount", "Amount", "money"),
    )
    title = "Lost deals by reason"
    return Table(
        "lost-reasons", title, columns, rows, asked.since, asked.until, asked.currency, "lost", amounts.notes
    )


def _of_pipeline(session: Session, asked: Asked) -> list[Any]:
    if asked.pipeline is None:
        return []
    return [Deal.pipeline_id == pipelines.find(session, asked.pipeline, field="pipeline").id]
