"""A year of a large sales team's work, written by the database itself: a million leads and what is on them.

Nothing is random: each row's values follow from its number, so that each run and each database has the same.
Rows stand in the order in which they came, as in a database that has grown. Indexes are made afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

from sqlalchemy import Column, Connection, Table, func, select, text
from sqlalchemy.orm import Session

from core import clock
from core.db import Database
from crm import pipelines
from models import Base
from models.source import Channel, Source
from models.user import User
from workspace.apply import apply
from workspace.check import check
from workspace.document import parse

USERS, TEAMS, SOURCES, CAMPAIGNS = 50, 8, 24, 40
#: On one lead, and how many leads its contact has.
ENTRIES, LEADS_OF_ONE = 10_000, 20
_DAYS = 365


@dataclass(frozen=True, slots=True)
class Year:
    """What there is: the numbers of rows, and the ids of those that are looked at by themselves.

    `lead` has ENTRIES entries, and is one of `contact`'s LEADS_OF_ONE; `company` is that contact's.
    """

    leads: int
    activities: int
    deals: int
    lead: int
    contact: int
    company: int
    deal: int


def fill(database: Database, *, leads: int) -> Year:
    """Makes the tables and the rows. Every fifth lead has a deal; there are as many activities as leads."""
    year = Year(leads, leads, leads // 5, lead=leads // 2, contact=1, company=1, deal=leads // 10)
    indexes = [i for table in Base.metadata.sorted_tables for i in table.indexes if not i.unique]
    Base.metadata.create_all(database.engine)
    with database.unit_of_work() as session:
        apply(session, check(session, parse(_workspace(), "bench.yaml")), by="bench")
        pipelines.ensure(session)
        session.add_all(
            Source(channel=channel, key=f"{channel}{n}", name=f"{channel} {n}", settings={})
            for channel in (Channel.EMAIL, Channel.CALL, Channel.WEBHOOK)
            for n in range(SOURCES // 6)
        )
    with database.engine.begin() as connection:
        for index in indexes:
            index.drop(connection)
    with database.unit_of_work() as session:
        connection = session.connection()
        if not database.is_sqlite:
            # What is written here refers to what is there; looking each up would take most of the time.
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        _Rows(connection.execution_options(no_parameters=True), _ids(session), year).write()
    with database.engine.begin() as connection:
        for index in indexes:
            index.create(connection)
    with database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("ANALYZE" if database.is_sqlite else "VACUUM ANALYZE"))
    return year


def _workspace() -> bytes:
    people = [f"u{n}@acme.test" for n in range(USERS)]
    return json.dumps(
        {
            "workspace": {
                "name": "Acme",
                "country": "BR",
                "timezone": "America/Sao_Paulo",
                "currency": "BRL",
                "rights": {"agent": {"see": "team", "change": "own"}},
            },
            "currencies": [{"code": "USD", "rate": 5.1}],
            "users": [{"email": address, "name": f"User {n}"} for n, address in enumerate(people)],
            "teams": [{"key": f"t{n}", "members": people[n::TEAMS]} for n in range(TEAMS)],
            "forms": [
                {"key": f"f{n}", "fields": [{"name": "email", "type": "email"}]} for n in range(SOURCES // 2)
            ],
        }
    ).encode()


def _ids(session: Session) -> dict[str, int]:
    """The first ids of users, sources and stages, which are counted on from there."""
    sources = select(Source.id).where(Source.channel != Channel.API, Source.channel != Channel.IMPORT)
    found = {
        "user": list(session.scalars(select(User.id).order_by(User.id))),
        "source": list(session.scalars(sources.order_by(Source.id))),
    }
    for name, ids in found.items():
        assert ids == list(range(ids[0], ids[0] + len(ids))), name
    assert (len(found["user"]), len(found["source"])) == (USERS, SOURCES)
    return {name: ids[0] for name, ids in found.items()}


class _Rows:
    """Writes the rows; `n` is a row's number, from 1."""

    def __init__(self, connection: Connection, first: Mapping[str, int], year: Year) -> None:
        self._connection, self._first, self._year = connection, first, year
        self._sqlite = connection.dialect.name == "sqlite"
        self._begins = int((clock.now() - timedelta(days=_DAYS)).timestamp())

    def write(self) -> None:
        """All of them."""
        self._people()
        self._leads()
        self._deals()
        self._activities()
        self._timelines()
        if not self._sqlite:
            self._count_on()

    def _moment(self, seconds: str) -> str:
        at = f"{self._begins} + {seconds}"
        return f"datetime({at}, 'unixepoch') || '.000000'" if self._sqlite else f"to_timestamp({at})"

    def _came(self, lead: str, *, later: str = "0") -> str:
        """When a lead came, and so many seconds later."""
        return self._moment(f"CAST({lead} AS BIGINT) * {_DAYS * 86_400} / {self._year.leads} + ({later})")

    def _json(self, words: str) -> str:
        return words if self._sqlite else f"CAST({words} AS JSONB)"

    def _money(self, amount: str) -> str:
        return f"({amount}) * 10000" if self._sqlite else f"({amount})"

    def _people(self) -> None:
        year, now = self._year, self._came(str(self._year.leads))
        self._insert("person", year.leads, {"id": "n"})
        self._insert(
            "company",
            max(1, year.leads // 50),
            {"id": "n", "name": "'Company ' || n", "owner_id": self._user("n"), "created_at": now}
            | {"updated_at": now},
        )
        self._insert(
            "contact",
            year.deals,
            {
                "id": "n",
                "person_id": "n * 5",
                "name": "'Person ' || (n * 5)",
                "email": "'p' || (n * 5) || '@client.test'",
                "company_id": f"1 + n % {max(1, year.leads // 50)}" if year.leads > 50 else "1",
                "owner_id": self._user("n"),
                "created_at": self._came("n * 5", later="7200"),
                "updated_at": self._came("n * 5", later="7200"),
                "waits_since": f"CASE WHEN n % 400 = 0 THEN {now} END",
            },
        )

    def _user(self, of: str) -> str:
        """One of them, some with more than others; nobody for every twentieth."""
        place = f"({_mixed(of, 11, USERS)} * {_mixed(of, 12, USERS)} / {USERS})"
        return f"CASE WHEN {_mixed(of, 13, 20)} > 0 THEN {self._first['user']} + {place} END"

    def _source(self, of: str) -> str:
        place = f"{_mixed(of, 14, SOURCES)} * {_mixed(of, 15, SOURCES)} / {SOURCES}"
        return f"{self._first['source']} + {place}"

    def _leads(self) -> None:
        rows, chance = self._year.leads, _mixed("n", 1, 100)
        recent = f"n > {rows * 95 // 100}"
        status = (
            f"CASE WHEN n % 5 = 0 THEN 'converted' WHEN {recent} AND {chance} < 50 OR {chance} < 4 THEN"
            f" CASE WHEN {_mixed('n', 2, 3)} = 0 THEN 'new' ELSE 'in_progress' END"
            f" WHEN {chance} < 20 THEN 'converted' WHEN {chance} < 94 THEN 'junk' ELSE 'merged' END"
        )
        campaign = f"({_mixed('n', 3, CAMPAIGNS)} * {_mixed('n', 4, CAMPAIGNS)} / {CAMPAIGNS})"
        named = f"{_mixed('n', 8, 5)} < 3"
        told = f'\'{{"utm_source":"ads","utm_medium":"cpc","utm_campaign":"c\' || {campaign} || \'"}}\''
        one = self._year
        of_one = f"n > {one.lead - LEADS_OF_ONE} AND n <= {one.lead}"
        answered = f"{_mixed('n', 5, 10)} < 7"
        soon = f"60 + {_mixed('n', 6, 600)} * {_mixed('n', 7, 600)} / 4"
        self._insert(
            "lead",
            rows,
            {
                "id": "n",
                "title": "'Enquiry ' || n",
                "status": status,
                "channel": "source.channel",
                "source_id": "source.id",
                "owner_id": self._user("n"),
                "person_id": "n",
                "name": "'Person ' || n",
                "email": "'p' || n || '@client.test'",
                "phone": "'+55119' || (10000000 + n)",
                "company": "'Company ' || (n % 5000)",
                "message": "'We are ' || (n % 90) || ' people and would like an offer for next month. ' ||"
                " 'Who can call us about the terms and how soon could we begin?'",
                "tags": self._json("""CASE WHEN n % 7 = 0 THEN '["vip"]' ELSE '[]' END"""),
                "fields": self._json("""'{"city":"Rio","employees":"' || (n % 500) || '"}'"""),
                "attribution": self._json(f"CASE WHEN {named} THEN {told} ELSE '{{}}' END"),
                "campaign": f"CASE WHEN {named} THEN 'c' || {campaign} END",
                "created_at": self._came("n"),
                "updated_at": self._came("n", later="3600"),
                "last_inbound_at": self._came("n"),
                "last_outbound_at": f"CASE WHEN {answered} THEN {self._came('n', later=soon)} END",
                "first_response_at": f"CASE WHEN {answered} THEN {self._came('n', later=soon)} END",
                "in_time": f"CASE WHEN {answered} THEN {soon} < 14400 END",
                "closed_at": f"CASE WHEN NOT ({recent}) THEN {self._came('n', later='90000')} END",
                "contact_id": f"CASE WHEN {of_one} THEN {one.contact} WHEN n % 5 = 0 THEN n / 5 END",
                "company_id": f"CASE WHEN {of_one} THEN {one.company} END",
            },
            source=f"series JOIN source ON source.id = {self._source('n')}",
        )
        state = f"CASE WHEN {answered} THEN CASE WHEN {soon} < 14400 THEN 'met' ELSE 'late' END"
        self._insert(
            "sla_clock",
            rows,
            {
                "lead_id": "n",
                "policy": "'first answer'",
                "settings": self._json("""'{"within":"4 hours","calendar":null}'"""),
                "state": f"{state} ELSE 'ended' END",
                "started_at": self._came("n"),
                "running_since": self._came("n"),
            },
        )

    def _deals(self) -> None:
        rows, chance = self._year.deals, _mixed("n", 21, 100)
        old = f"n < {rows * 85 // 100}"
        name = (
            f"CASE WHEN {old} AND {chance} < 30 THEN 'won' WHEN {old} AND {chance} < 92 THEN 'lost'"
            " ELSE 'open' END"
        )
        place = f"CASE ({name}) WHEN 'open' THEN {_mixed('n', 22, 3)} ELSE 0 END"
        stages = (
            '(SELECT id, pipeline_id, key, "group", row_number() OVER (PARTITION BY "group"'
            " ORDER BY position, id) - 1 AS place FROM stage) stage"
        )
        closed = f"{_mixed('n', 23, 60)} * 86400 + 90000"
        amount = self._money(f"500 + {_mixed('n', 24, 90000)}")
        self._insert(
            "deal",
            rows,
            {
                "id": "n",
                "number": "'D-' || n",
                "title": "'Offer ' || n",
                "pipeline_id": "stage.pipeline_id",
                "stage_id": "stage.id",
                "state": 'stage."group"',
                "amount": f"CASE WHEN n % 20 > 0 THEN {amount} END",
                "currency": "CASE WHEN n % 10 = 0 THEN 'USD' ELSE 'BRL' END",
                "owner_id": self._user("n * 5"),
                "contact_id": "n",
                "lead_id": "n * 5",
                "source_id": self._source("n * 5"),
                "created_at": self._came("n * 5", later="7200"),
                "updated_at": self._came("n * 5", later="7200"),
                "stage_since": self._came("n * 5", later="90000"),
                "closed_at": f"CASE WHEN ({name}) <> 'open' THEN {self._came('n * 5', later=closed)} END",
                "closing_reason": f"CASE WHEN ({name}) = 'lost' THEN 'reason' || {_mixed('n', 25, 8)} END",
                "waits_since": f"CASE WHEN ({name}) = 'open' AND n % 9 = 0 THEN {self._came('n * 5')} END",
            },
            source=f'series JOIN {stages} ON stage."group" = {name} AND stage.place = {place}',
        )
        self._insert(
            "deal_line",
            rows * 3 // 2,
            {
                "id": "n",
                "deal_id": f"1 + n % {rows}",
                "name": "'Seats'",
                "quantity": self._money(f"1 + {_mixed('n', 26, 20)}"),
                "price": self._money("100"),
                "total": self._money("100"),
            },
        )
        # The first two open stages, and then where the deal is now.
        step = f"((n - 1) / {rows})"
        deal = f"(1 + (n - 1) % {rows})"
        left = f"CASE WHEN {step} < 2 THEN {self._moved(step, deal, 1)} END"
        self._insert(
            "stage_stay",
            rows * 3,
            {
                "id": "n",
                "deal_id": "deal.id",
                "stage_id": f"CASE WHEN {step} < 2 THEN stage.id ELSE deal.stage_id END",
                "entered_at": self._moved(step, deal, 0),
                "left_at": left,
                "actor": "'user:1'",
            },
            source=f"series JOIN deal ON deal.id = {deal}"
            f" JOIN {stages} ON stage.\"group\" = 'open' AND stage.place = {step} % 2",
        )

    def _moved(self, step: str, deal: str, more: int) -> str:
        later = f"7200 + ({step} + {more}) * (40000 + {_mixed(deal, 27, 600)} * 500)"
        return self._came(f"{deal} * 5", later=later)

    def _activities(self) -> None:
        rows, chance = self._year.activities, _mixed("n", 31, 1000)
        planned = f"(n > {rows * 98 // 100} OR {chance} < 15)"
        state = f"CASE WHEN {planned} THEN 'planned' WHEN {chance} < 60 THEN 'cancelled' ELSE 'done' END"
        due = f"86400 * {_mixed('n', 32, 6)} + 3600"
        done = f"{due} + 7200 * ({_mixed('n', 33, 6)} - 4)"
        kind = f"CASE {_mixed('n', 34, 4)} WHEN 0 THEN 'meeting' WHEN 1 THEN 'task' ELSE 'call' END"
        self._insert(
            "activity",
            rows,
            {
                "id": "n",
                "type": kind,
                "subject": "'Call person ' || n || ' back'",
                "note": "'They asked for a call in the morning.'",
                "due_at": self._came("n", later=due),
                "owner_id": self._user("n"),
                "state": state,
                "outcome": f"CASE WHEN NOT {planned} THEN 'outcome' || {_mixed('n', 35, 5)} END",
                "lead_id": "CASE WHEN n % 5 > 0 THEN n END",
                "deal_id": "CASE WHEN n % 5 = 0 THEN n / 5 END",
                "contact_id": "CASE WHEN n % 10 = 0 THEN n / 5 END",
                "created_at": self._came("n"),
                "done_at": f"CASE WHEN NOT {planned} THEN {self._came('n', later=done)} END",
                "told": "2",
            },
        )

    def _timelines(self) -> None:
        """Each third lead's submission, and one lead's long story dealt out between them."""
        year = self._year
        others = year.leads // 3
        every = max(1, others // ENTRIES)
        lead = f"CASE WHEN n % {every} = 0 THEN {year.lead} ELSE n * 3 END"
        kind = f"CASE {_mixed('n', 41, 5)} WHEN 0 THEN 'comment' WHEN 1 THEN 'field' ELSE 'mail' END"
        self._insert(
            "timeline_entry",
            every * ENTRIES,
            {
                "at": self._came(f"n * {year.leads} / {every * ENTRIES}"),
                "kind": kind,
                "summary": "'What was said at place ' || n",
                "data": self._json("""'{"old":null,"new":"' || n || '"}'"""),
                "actor": "'user:' || (n % 50)",
                "lead_id": lead
                if every * ENTRIES * 3 <= year.leads
                else f"CASE WHEN n % {every} = 0 THEN {year.lead} ELSE 1 + n * 3 % {year.leads} END",
            },
        )

    def _insert(self, name: str, rows: int, values: Mapping[str, str], *, source: str = "series") -> None:
        table = Base.metadata.tables[name]
        made = {**_defaults(table, values), **values}
        columns = ", ".join(f'"{column}"' for column in made)
        series = f"WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < {rows})"
        if not self._sqlite:
            series = f"WITH series(n) AS (SELECT * FROM generate_series(1::bigint, {rows}::bigint))"
        chosen = f"{series} SELECT {', '.join(map(self._valued(table), made.items()))} FROM {source}"
        self._connection.exec_driver_sql(f"INSERT INTO {name} ({columns}) {chosen}")

    def _valued(self, table: Table) -> Callable[[tuple[str, str]], str]:
        def valued(pair: tuple[str, str]) -> str:
            _, value = pair
            return self._json(value) if value in ("'[]'", "'{}'") else value

        return valued

    def _count_on(self) -> None:
        for table in Base.metadata.sorted_tables:
            if "id" in table.columns and table.columns["id"].autoincrement and len(table.primary_key) == 1:
                held = self._connection.scalar(select(func.pg_get_serial_sequence(table.name, "id")))
                if held:
                    most = f"SELECT setval('{held}', max(id)) FROM {table.name}"
                    self._connection.exec_driver_sql(most)


def _mixed(of: str, salt: int, below: int) -> str:
    """A number from 0 that follows from another one and looks like chance."""
    return (
        f"((CAST({of} AS BIGINT) + {salt * 7919}) * {2_654_435_761 + 2 * salt} % 4294967291 / 64 % {below})"
    )


def _defaults(table: Table, given: Mapping[str, Any]) -> dict[str, str]:
    """What the models say of columns that must not be empty and that nobody gave."""
    return {
        column.name: _literal(column)
        for column in table.columns
        if column.name not in given and not column.nullable and not column.primary_key
    }


def _literal(column: Column[Any]) -> str:
    default: Any = column.default
    assert default is not None, f"{column} needs a value"
    value = default.arg(None) if default.is_callable else default.arg
    match value:
        case bool():
            return str(value).lower()
        case Enum():
            return f"'{value.value}'"
        case int() | Decimal():
            return str(value)
        case datetime():
            raise AssertionError(f"{column} needs a moment")
        case str():
            return f"'{value}'"
        case _:
            return f"'{json.dumps(value)}'"
