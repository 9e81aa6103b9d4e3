"""Goes on where what was waited for did not come in time."""

from __future__ import annotations

from rules.outcome import AfterWait


class UnlessDone(AfterWait):
    """What was waited for did not come in time."""

    name = "unless_done"
    label = "If it did not come in time"
    wanted = False
