"""Reports on leads: where they come from and what becomes of them, and how soon they are answered."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from sqlalchemy import case, func, select, type_coerce
from sqlalchemy.orm import Session

from crm.reports import dimension, sql
from crm.reports.amounts import Amounts
from crm.reports.asked import Asked
from crm.reports.dimension import KEY, order
from crm.reports.percentiles import spread
from crm.reports.table import Cell, Column, Table, percent
from models.base import Exact
from models.deal import Deal
from models.lead import Lead, LeadStatus
from models.pipeline import StageGroup


def leads(session: Session, asked: Asked) -> Table:
    """Leads that came in these days: how many were converted, became a deal, were won, and for how much."""
    key, chosen = dimension.leads(session, asked, select())
    numbers: dict[Any, Counter[str]] = defaultdict(Counter)
    for cell, status, number in sql.counted(session, chosen.with_only_columns(key.label(KEY), Lead.status)):
        numbers[cell] += Counter({"leads": number, status: number})
    with_deal = chosen.where(select(Deal.id).where(Deal.lead_id == Lead.id).exists())
    for cell, number in sql.counted(session, with_deal.with_only_columns(key.label(KEY))):
        numbers[cell]["with_deal"] = number
    won, amounts = won_of_leads(session, asked)
    names = sql.labels(session, asked.by)
    rows = [
        (
            sql.label(cell, names),
            one["leads"],
            one[LeadStatus.CONVERTED],
            percent(one[LeadStatus.CONVERTED], one["leads"]),
            one[LeadStatus.JUNK],
            one["with_deal"],
            percent(one["with_deal"], one["leads"]),
            won[cell],
            amounts.total(cell),
        )
        for cell, (_, one) in sorted(
            ((cell, (one["leads"], one)) for cell, one in numbers.items()), key=order(asked.by)
        )
    ]
    columns = (
        Column(asked.by, asked.by.capitalize(), "text"),
        Column("leads", "Leads"),
        Column("converted", "Converted"),
        Column("converted_share", "Converted, %", "percent"),
        Column("junk", "Junk"),
        Column("with_deal", "With a deal"),
        Column("with_deal_share", "With a deal, %", "percent"),
        Column("won", "Won"),
        Column("won_amount", "Won amount", "money"),
    )
    title = f"Leads by {asked.by}"
    return Table(
        "leads", title, columns, rows, asked.since, asked.until, asked.currency, "leads", amounts.notes
    )


def won_of_leads(session: Session, asked: Asked) -> tuple[Counter[Any], Amounts]:
    """How many leads of these days have won deals, and what those have brought, by the asked dimension."""
    place = func.row_number().over(partition_by=Deal.lead_id)
    # Each deal, and whether it stands for its lead, which counts once.
    deals = (
        select(Deal.lead_id, Deal.currency, Deal.amount, case((place == 1, 1), else_=0).label("lead"))
        .where(Deal.state == StageGroup.WON, Deal.lead_id.is_not(None))
        .subquery()
    )
    key, chosen = dimension.leads(session, asked, select())
    rows = sql.apart(
        chosen.join(deals, deals.c.lead_id == Lead.id).with_only_columns(
            key.label(KEY), deals.c.currency, deals.c.amount, deals.c.lead
        )
    )
    by = (rows.c.dimension, rows.c.currency)
    won: Counter[Any] = Counter()
    amounts = Amounts()
    for cell, currency, leads, amount in session.execute(
        select(*by, func.sum(rows.c.lead), type_coerce(func.sum(rows.c.amount), Exact())).group_by(*by)
    ):
        won[cell] += int(leads)
        amounts.add(asked, cell, currency, amount)
    return won, amounts


def first_response(session: Session, asked: Asked) -> Table:
    """How soon the leads of these days had their first answer, and how many within what was promised."""
    key, chosen = dimension.leads(session, asked, select())
    took = sql.seconds(session, Lead.created_at, Lead.first_response_at)
    answered = case((Lead.first_response_at >= Lead.created_at, took))
    found = spread(session, key, answered, chosen, beside=Lead.in_time)
    leads = ((cell, (one.beside.total(), one)) for cell, one in found.items())
    names = sql.labels(session, asked.by)
    rows: list[tuple[Cell, ...]] = []
    for cell, (number, one) in sorted(leads, key=order(asked.by)):
        met, late = one.beside[True], one.beside[False]
        rows.append((sql.label(cell, names), number, *one.told, met, late, percent(met, met + late)))
    columns = (
        Column(asked.by, asked.by.capitalize(), "text"),
        Column("leads", "Leads"),
        Column("answered", "Answered"),
        Column("median", "Median", "seconds"),
        Column("p90", "90 % within", "seconds"),
        Column("mean", "Mean", "seconds"),
        Column("in_time", "In time"),
        Column("late", "Late"),
        Column("in_time_share", "In time, %", "percent"),
    )
    title = f"First answers by {asked.by}"
    return Table("first-response", title, columns, rows, asked.since, asked.until, asked.currency, "median")
