"""The steps there are: one file each, and one line here."""

from __future__ import annotations

from typing import Any

from rules.step import Step
from rules.steps.add_tag import AddTag
from rules.steps.assign import Assign
from rules.steps.branch import Branch
from rules.steps.change_stage import ChangeStage
from rules.steps.change_status import ChangeStatus
from rules.steps.comment import Comment
from rules.steps.complete_activity import CompleteActivity
from rules.steps.convert import Convert
from rules.steps.create_deal import CreateDeal
from rules.steps.for_each import ForEach
from rules.steps.if_done import IfDone
from rules.steps.mark_junk import MarkJunk
from rules.steps.merge_into import MergeInto
from rules.steps.notify import Notify
from rules.steps.remove_tag import RemoveTag
from rules.steps.schedule import Schedule
from rules.steps.score import Score
from rules.steps.send_email import SendEmail
from rules.steps.send_sms import SendSms
from rules.steps.send_webhook import SendWebhook
from rules.steps.set import Set
from rules.steps.start_rule import StartRule
from rules.steps.stop import Stop
from rules.steps.stop_rule import StopRule
from rules.steps.unassign import Unassign
from rules.steps.unless_done import UnlessDone
from rules.steps.wait import Wait

_ALL: tuple[Step[Any], ...] = (
    Assign(),
    Unassign(),
    Schedule(),
    CompleteActivity(),
    Set(),
    AddTag(),
    RemoveTag(),
    Score(),
    ChangeStatus(),
    MarkJunk(),
    Convert(),
    MergeInto(),
    CreateDeal(),
    ChangeStage(),
    Comment(),
    SendEmail(),
    SendSms(),
    SendWebhook(),
    Notify(),
    StartRule(),
    StopRule(),
    Wait(),
    IfDone(),
    UnlessDone(),
    Branch(),
    ForEach(),
    Stop(),
)
STEPS: dict[str, Step[Any]] = {step.name: step for step in _ALL}
