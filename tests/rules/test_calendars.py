"""A calendar is kept as long as the workspace stays as it is, and no longer."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.orm import Session

from core import db
from rules import calendars
from tests.factories import NOON, WORKSPACE, configure, configure_in

ZONE = ZoneInfo("America/Sao_Paulo")


def hours(text: str) -> str:
    """The workspace with its office open at other hours."""
    return WORKSPACE.replace('"09:00-18:00"', f'"{text}"')


def is_open(session: Session, hour: int) -> bool:
    """Whether the office is, on a Monday."""
    calendar = calendars.named(session, "office", ZONE)
    assert calendar is not None
    monday = NOON.astimezone(ZONE).replace(hour=hour, minute=0) - timedelta(
        days=NOON.astimezone(ZONE).weekday()
    )
    return calendar.is_open(monday)


def test_a_change_is_in_force_at_once_and_one_that_was_only_tried_never_is(database: db.Database) -> None:
    configure()
    with database.reading() as session:
        assert (is_open(session, 10), is_open(session, 20)) == (True, False)
    with pytest.raises(RuntimeError), database.unit_of_work() as session:
        configure_in(session, hours("19:00-21:00"))
        assert (is_open(session, 10), is_open(session, 20)) == (False, True)
        raise RuntimeError
    with database.reading() as session:
        assert (is_open(session, 10), is_open(session, 20)) == (True, False)
    configure(hours("13:00-21:00"))
    with database.reading() as session:
        assert (is_open(session, 10), is_open(session, 20)) == (False, True)


def test_the_first_one_stands_for_none_and_none_is_none(database: db.Database) -> None:
    with database.reading() as session:
        assert calendars.named(session, None, ZONE) is None
    configure()
    with database.reading() as session:
        assert calendars.named(session, None, ZONE) is not None
        assert calendars.named(session, "gone", ZONE) is None
