"""One holder at a time, and a new one soon after the old one has died."""

from __future__ import annotations

from datetime import timedelta

from core import clock, db
from intake import lease


def test_one_holds_and_the_other_waits_until_the_term_is_over(database: db.Database) -> None:
    with database.unit_of_work() as session:
        assert lease.hold(session, "x", "one") == 1
        assert lease.hold(session, "x", "two") is None
        assert lease.hold(session, "x", "one") == 1
    with clock.frozen(clock.now() + lease.TERM + timedelta(seconds=1)), database.unit_of_work() as session:
        assert lease.hold(session, "x", "two") == 2  # the token has grown: the old holder is known by it
        assert lease.hold(session, "x", "one") is None


def test_what_is_given_back_is_free_at_once(database: db.Database) -> None:
    with database.unit_of_work() as session:
        lease.hold(session, "x", "one")
        lease.release(session, "x", "two")
        assert lease.hold(session, "x", "two") is None
        lease.release(session, "x", "one")
    with clock.frozen(clock.now() + timedelta(milliseconds=1)), database.unit_of_work() as session:
        assert lease.hold(session, "x", "two") == 2


def test_no_two_processes_have_the_same_name() -> None:
    assert lease.new_holder() != lease.new_holder()
