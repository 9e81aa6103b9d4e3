"""How soon people answered, as tables; the same by the command line and the API."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from boot.commands import reporting
from console import words
from core import db
from models.lead import Lead
from models.sla import SlaClock, SlaState
from rules import first_answers
from tests.console import seed


def clock_of(session: Session, lead: Lead, taken: int | None, state: SlaState) -> None:
    started = seed.NOW - timedelta(days=1)
    breached = started if state is SlaState.LATE else None
    session.add(
        SlaClock(
            lead_id=lead.id, policy="<b>fast", settings={}, state=state, started_at=started, running_since=started,
            taken_seconds=taken, breached_at=breached,
        )
    )  # fmt: skip


def test_the_page_and_the_command_show_the_numbers(
    ana: FlaskClient, database: db.Database, people: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "No clock was started" in ana.get("/first-answers?days=x").text
    with database.unit_of_work() as session:
        for taken, state in ((60, SlaState.MET), (5000, SlaState.LATE), (None, SlaState.RUNNING)):
            clock_of(session, seed.lead(session, owner_id=people["bruno"]), taken, state)
    page = ana.get("/first-answers?days=7").text
    assert "&lt;b&gt;fast" in page
    assert "bruno@acme.test" in page
    assert words.duration(5000) in page
    assert "50 %" in page
    monkeypatch.setattr(reporting, "begin", lambda: None)
    told = CliRunner().invoke(reporting.first_answers_command, ["--by", "owner", "--json"])
    [line] = json.loads(told.output)
    with database.reading() as session:
        assert line == first_answers.report(session, by="owner")[0].as_data()
    shown = CliRunner().invoke(reporting.first_answers_command, ["--by", "owner"]).output
    assert "83 min" in shown
    assert "50%" in shown
