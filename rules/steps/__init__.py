"""The steps there are: one file each, and one line here."""

from __future__ import annotations

from typing import Any

from rules.step import Step
from rules.steps.add_tag import AddTag
from rules.steps.assign import Assign
from rules.steps.notify import Notify
from rules.steps.schedule import Schedule
from rules.steps.send_email import SendEmail
from rules.steps.set import Set

STEPS: dict[str, Step[Any]] = {
    step.name: step for step in (Assign(), Schedule(), Set(), AddTag(), SendEmail(), Notify())
}
