"""The steps there are: one file each, and one line here."""

from __future__ import annotations

from typing import Any

from rules.step import Step
from rules.steps.add_tag import AddTag
from rules.steps.assign import Assign
from rules.steps.branch import Branch
from rules.steps.for_each import ForEach
from rules.steps.if_done import IfDone, UnlessDone
from rules.steps.notify import Notify
from rules.steps.schedule import Schedule
from rules.steps.send_email import SendEmail
from rules.steps.set import Set
from rules.steps.stop import Stop
from rules.steps.wait import Wait

_ALL: tuple[Step[Any], ...] = (
    Assign(),
    Schedule(),
    Set(),
    AddTag(),
    SendEmail(),
    Notify(),
    Wait(),
    IfDone(),
    UnlessDone(),
    Branch(),
    ForEach(),
    Stop(),
)
STEPS: dict[str, Step[Any]] = {step.name: step for step in _ALL}
