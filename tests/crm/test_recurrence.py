"""What comes again comes at the same time on the wall, and comes to an end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import Invalid
from crm import recurrence

NEW_YORK, SYDNEY = ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe")


def series(text: str, start: datetime, zone: ZoneInfo, most: int = 6) -> list[datetime]:
    found, after = [start], start
    while len(found) < most and (after := recurrence.following(text, start=start, zone=zone, after=after)):  # type: ignore[assignment]
        found.append(after)
    return found


def at(text: str, zone: ZoneInfo = NEW_YORK) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


@pytest.mark.parametrize(
    ("rule", "start", "wanted"),
    [
        # New York's clocks went forward on 8 March 2026 and back on 1 November.
        ("FREQ=DAILY", "2026-03-07T09:00", ["2026-03-08T09:00", "2026-03-09T09:00"]),
        ("FREQ=WEEKLY;BYDAY=MO,TH", "2026-10-29T09:00", ["2026-11-02T09:00", "2026-11-05T09:00"]),
        ("RRULE:FREQ=MONTHLY;BYMONTHDAY=31", "2026-01-31T18:00", ["2026-03-31T18:00", "2026-05-31T18:00"]),
        ("FREQ=MONTHLY;BYDAY=FR;BYSETPOS=-1", "2026-01-30T08:00", ["2026-02-27T08:00", "2026-03-27T08:00"]),
        ("FREQ=YEARLY", "2024-02-29T10:00", ["2028-02-29T10:00"]),
        ("FREQ=DAILY;COUNT=2", "2026-05-01T09:00", ["2026-05-02T09:00", None]),
        ("FREQ=DAILY;UNTIL=20260502", "2026-05-01T09:00", ["2026-05-02T09:00", None]),
        ("FREQ=DAILY;UNTIL=20260502T125959Z", "2026-05-01T09:00", [None]),
    ],
)  # fmt: skip
def test_a_series_is_counted_on_the_wall(rule: str, start: str, wanted: list[str | None]) -> None:
    found = series(rule, at(start), NEW_YORK, most=len(wanted) + 1)[1:]
    assert found == [at(w) for w in wanted if w is not None]


def test_an_hour_that_the_clocks_skip_is_read_with_the_offset_before() -> None:
    (_, skipped, after) = series("FREQ=DAILY", at("2026-03-07T02:30"), NEW_YORK, most=3)
    assert skipped == datetime(2026, 3, 8, 7, 30, tzinfo=UTC)  # 03:30 there
    assert after == at("2026-03-09T02:30")


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]),
    st.integers(1, 5),
    st.integers(0, 3650),
    st.sampled_from([NEW_YORK, SYDNEY, ZoneInfo("UTC")]),
    st.integers(2, 9),
)
def test_moments_rise_keep_their_time_of_day_and_end_with_their_count(
    freq: str, interval: int, days: int, zone: ZoneInfo, count: int
) -> None:
    # In the afternoon no zone changes its clocks, so the time on the wall must be the same to the second.
    begins = (datetime(2020, 1, 1, 15, 7, tzinfo=zone) + timedelta(days=days)).astimezone(UTC)
    text = f"FREQ={freq};INTERVAL={interval};COUNT={count}"
    found = series(text, begins, zone, most=20)
    assert found == sorted(set(found))
    assert len(found) <= count
    assert {m.astimezone(zone).time() for m in found} == {begins.astimezone(zone).time()}
    # From each of its moments the series goes on as the same one.
    rest = recurrence.from_here(text, start=begins, zone=zone, slot=found[1])
    if freq in ("DAILY", "WEEKLY"):
        assert series(rest, found[1], zone, most=20) == found[1:]


@pytest.mark.parametrize(
    "text",
    [
        "", "FREQ=HOURLY", "FREQ=SECONDLY", "DAILY", "FREQ=DAILY;BYHOUR=1", "FREQ=DAILY;COUNT=0", "FREQ=DAILY;COUNT=99999999999999999999", "FREQ=DAILY;INTERVAL=-1",
        "FREQ=DAILY;UNTIL=soon", "FREQ=DAILY;COUNT=2;UNTIL=20260101", "FREQ=WEEKLY;BYDAY=XX", "FREQ=DAILY;FREQ=DAILY", "FREQ=MONTHLY;BYMONTHDAY=99", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=DAILY;BYEASTER=1", "FREQ=WEEKLY;BYDAY=" + "MO," * 400, "FREQ=DAILY;BYSETPOS=x", "FREQ=DAILY\nDTSTART:20260101", "FREQ=ＤAILY",
    ],
)  # fmt: skip
def test_what_is_no_rule_is_refused_in_words(text: str) -> None:
    with pytest.raises(Invalid):
        recurrence.read(text)
