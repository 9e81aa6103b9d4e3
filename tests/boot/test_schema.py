"""The schema: an empty database becomes what the models say."""

from __future__ import annotations

from pathlib import Path

from alembic import command

from boot import schema
from core.db import Database
from models.activity import Activity
from models.rule import RulesetVersion, StepRow, StepState
from models.timeline import TimelineEntry
from models.workspace import WorkspaceRow
from rules import runs


def migrated(database: Database) -> None:
    """What must hold for any database."""
    assert schema.current(database) is None
    assert schema.upgrade(database) is True
    assert schema.current(database) == schema.head()
    assert schema.upgrade(database) is False
    assert schema.differences(database) == []


def test_an_empty_sqlite_database_becomes_what_the_models_say(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.db'}")
    migrated(database)
    database.close()


def test_sqlite_is_as_durable_as_it_can_be(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.db'}")
    with database.engine.connect() as connection:
        pragma = {
            n: connection.exec_driver_sql(f"PRAGMA {n}").scalar() for n in ("journal_mode", "synchronous")
        }
    assert pragma == {"journal_mode": "wal", "synchronous": 2}  # 2 is FULL
    database.close()


# What is written later counts up from 1 on PostgreSQL, which does not know of the ids given here.
KEPT = """
INSERT INTO workspace (id, version, settings, environment) VALUES (1, 1, '{}', '')
INSERT INTO source (id, channel, key, name, settings, active) VALUES (1, 'form', 'a', 'a', '{}', true)
INSERT INTO person (id) VALUES (1)
INSERT INTO lead (id, title, status, channel, source_id, person_id, name, message, score, tags, fields, attribution, created_at, updated_at, last_inbound_at) VALUES (1, 't', 'new', 'form', 1, 1, 'n', '', 0, '[]', '{}', '{}', '2026-11-23', '2026-11-23', '2026-11-23')
INSERT INTO ruleset_version (id, rules, content_hash, published_at, published_by) VALUES (1, '[]', 'x', '2026-11-23', 'y')
INSERT INTO run (id, ruleset_version_id, rule, lead_id, state, effect_key, depth, started_at) VALUES (1, 1, 'r', 1, 'active', 'k', 0, '2026-11-23')
INSERT INTO step (id, run_id, path, kind, settings, state, due_at, attempts) VALUES (1, 1, '000', 'notify', '{"text": "x"}', 'ready', '2026-11-23', 0)
INSERT INTO timeline_entry (id, at, kind, summary, data, actor, lead_id) VALUES (900, '2026-11-23', 'comment', 's', '{}', 'service', 1)
INSERT INTO activity (id, type, subject, due_at, state, urgency, lead_id, created_at) VALUES (1, 'call', 's', '2026-11-23', 'planned', 0, 1, '2026-11-23')
"""


def kept_over_the_upgrade(database: Database) -> None:
    """What must hold for any database."""
    with database.engine.begin() as connection:
        command.upgrade(schema.configuration(connection), "0001")
        for statement in KEPT.strip().splitlines():
            connection.exec_driver_sql(statement)
    assert schema.upgrade(database) is True
    with database.reading() as session:
        step = session.get_one(StepRow, 1)
        assert (step.run.cause, step.data, step.run.lead.waits, step.run.lead.wish) == ({}, {}, False, None)
        assert session.get_one(Activity, 1).told == 0
        assert session.get_one(RulesetVersion, 1).tests == []
        entry = session.get_one(TimelineEntry, 900)
        assert (entry.lead_id, entry.deal_id, entry.pinned) == (1, None, False)
        assert session.get_one(WorkspaceRow, 1).crm == {}
    with database.unit_of_work() as session:
        assert runs.claim(session, 1) is None  # nobody owns the lead: it fails in words, and the run ends
    with database.reading() as session:
        assert session.get_one(StepRow, 1).state is StepState.FAILED


def test_what_an_older_release_has_kept_is_there_after_the_upgrade(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.db'}")
    kept_over_the_upgrade(database)
    with database.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    database.close()
