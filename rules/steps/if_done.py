"""Goes on where what was waited for came in time."""

from __future__ import annotations

from rules.outcome import AfterWait


class IfDone(AfterWait):
    """What was waited for came in time."""

    name = "if_done"
    label = "If it came in time"
    wanted = True
