"""Rules in words."""

from __future__ import annotations

import pytest

from crm import rule_words


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("FREQ=DAILY", "Every day"),
        ("rrule:freq=weekly;interval=2;byday=MO,TH", "Every 2 weeks on Monday and Thursday"),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", "Every month on the last day"),
        ("FREQ=MONTHLY;BYMONTHDAY=1,11,22,-2;COUNT=1", "Every month on the 1st, the 11th, the 22nd and the 2nd last day, once"),
        ("FREQ=MONTHLY;BYDAY=3FR;COUNT=12", "Every month on the 3rd Friday, 12 times"),
        ("FREQ=MONTHLY;BYDAY=-1FR", "Every month on the last Friday"),
        ("FREQ=YEARLY;BYMONTH=3,9;UNTIL=20291231", "Every year in March and September, until 31 December 2029"),
        ("FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=-1", "FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=-1"),
    ],
)  # fmt: skip
def test_a_rule_is_said_as_people_say_it(rule: str, said: str) -> None:
    assert rule_words.words(rule) == said
