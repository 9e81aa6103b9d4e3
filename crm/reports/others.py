"""Reports on activities, and on what sources cost and bring."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from core import clock
from crm.reports import dimension, sql
from crm.reports.amounts import Amounts
from crm.reports.asked import Asked
from crm.reports.dimension import KEY, order
from crm.reports.leads import won_of_leads
from crm.reports.table import Cell, Column, Table, each, percent, rounded
from models.activity import Activity, ActivityState
from models.lead import Lead
from models.report import SourceCost


def activities(session: Session, asked: Asked) -> Table:
    """Activities that were to be done in these days, and what became of them."""
    now = clock.now()
    done = Activity.state == ActivityState.DONE
    open_ = Activity.state == ActivityState.PLANNED
    key, chosen = dimension.activities(session, asked, select())
    counted = chosen.with_only_columns(
        key.label(KEY),
        func.count(),
        func.sum(case((done, 1), else_=0)),
        func.sum(case((done & (Activity.done_at <= Activity.due_at), 1), else_=0)),
        func.sum(case((Activity.state == ActivityState.CANCELLED, 1), else_=0)),
        func.sum(case((open_, 1), else_=0)),
        func.sum(case((open_ & (Activity.due_at < now), 1), else_=0)),
    ).group_by(KEY)
    found = {row[0]: tuple(map(int, row[1:])) for row in session.execute(counted)}
    names = sql.labels(session, asked.by)
    rows: list[tuple[Cell, ...]] = [
        (sql.label(key, names), number, ended, on_time, percent(on_time, ended), *rest)
        for key, (number, ended, on_time, *rest) in sorted(found.items(), key=order(asked.by))
    ]
    columns = (
        Column(asked.by, asked.by.capitalize(), "text"),
        Column("due", "Due"),
        Column("done", "Done"),
        Column("on_time", "In time"),
        Column("on_time_share", "In time, %", "percent"),
        Column("cancelled", "Cancelled"),
        Column("planned", "Still planned"),
        Column("overdue", "Overdue"),
    )
    title = f"Activities by {asked.by}"
    return Table("activities", title, columns, rows, asked.since, asked.until, asked.currency, "done")


def returns(session: Session, asked: Asked) -> Table:
    """What sources or campaigns cost in these days, and what the leads of these days have brought."""
    key, chosen = dimension.leads(session, asked, select())
    counted = chosen.with_only_columns(key.label(KEY), func.count(Lead.id)).group_by(KEY)
    leads = {row[0]: row[1] for row in session.execute(counted)}
    _, won = won_of_leads(session, asked)
    costs = _costs(session, asked)
    names = sql.labels(session, asked.by)
    rows: list[tuple[Cell, ...]] = []
    for cell in sorted({*leads, *costs.totals}, key=lambda k: (-leads.get(k, 0), str(k))):
        number, cost, amount = leads.get(cell, 0), costs.total(cell), won.total(cell)
        rows.append(
            (
                sql.label(cell, names),
                cost,
                number,
                each(cost, number) if cost else None,
                amount,
                rounded(amount - cost),
                percent(amount - cost, cost),
            )
        )
    columns = (
        Column(asked.by, asked.by.capitalize(), "text"),
        Column("cost", "Cost", "money"),
        Column("leads", "Leads"),
        Column("cost_per_lead", "Cost of a lead", "money"),
        Column("won_amount", "Won amount", "money"),
        Column("profit", "Won less cost", "money"),
        Column("return", "Return, %", "percent"),
    )
    title, notes = f"Cost and return by {asked.by}", [*won.notes, *costs.notes]
    return Table(
        "returns", title, columns, rows, asked.since, asked.until, asked.currency, "won_amount", notes
    )


def _costs(session: Session, asked: Asked) -> Amounts:
    """What was paid, each cost by the share of its days that are asked for."""
    chosen = select(SourceCost).where(SourceCost.since <= asked.until, SourceCost.until >= asked.since)
    if asked.source_ids is not None:
        chosen = chosen.where(SourceCost.source_id.in_(asked.source_ids))
    found = Amounts()
    for row in session.scalars(chosen):
        if asked.channel is not None and row.source.channel is not asked.channel:
            continue
        days = (row.until - row.since) / timedelta(days=1) + 1
        both = (min(row.until, asked.until) - max(row.since, asked.since)) / timedelta(days=1) + 1
        keys: dict[str, Any] = {
            "source": row.source_id,
            "channel": row.source.channel,
            "campaign": row.campaign,
        }
        found.add(asked, keys[asked.by], row.currency, row.amount * Decimal(int(both)) / Decimal(int(days)))
    return found
