"""What may be changed of a planned activity, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from core import clock
from core.errors import Conflict
from crm import changes, invitations, series, workspace
from crm.activity_parts import set_participants, set_reminders, tell
from models.activity import Activity, ActivityState

#: What whoever was invited has to hear of.
_TOLD = ("subject", "due_at", "place", "minutes", "note")


def change(session: Session, activity: Activity, values: Mapping[str, Any], *, actor: str) -> dict[str, Any]:
    """Sets columns by name, `participants`, `reminders` (minutes before) and `recurrence`.

    Answers with what stood before of what has changed. Raises Conflict for one that is over, Invalid for
    a rule that is none.
    """
    if activity.state is not ActivityState.PLANNED:
        raise Conflict(f"the activity is {activity.state.value}")
    given = dict(values)
    participants, reminders = given.pop("participants", None), given.pop("reminders", None)
    rule_given, rule = "recurrence" in given, given.pop("recurrence", None)
    before = {n: getattr(activity, n) for n, v in given.items() if getattr(activity, n) != v}
    for name in before:
        setattr(activity, name, given[name])
    if rule_given and rule != activity.recurrence:
        before["recurrence"] = activity.recurrence
        series.set_rule(session, activity, rule, workspace.load(session))
    if "due_at" in before:
        activity.told = 0
    if reminders is not None or "due_at" in before:
        stood = [r.minutes for r in activity.reminders]
        set_reminders(activity, stood if reminders is None else reminders)
        if reminders is not None and sorted(reminders) != sorted(stood):
            before["reminders"] = stood
    gone = []
    if participants is not None:
        there = list(activity.participants)
        set_participants(activity, participants)
        gone = [p for p in there if p not in activity.participants]
        if gone or len(activity.participants) != len(there):
            before["participants"] = _named(there)
    if not before:
        return {}
    if any(name in before for name in _TOLD):
        activity.sequence += 1
        for participant in activity.participants:
            participant.answer = participant.answered_at = None  # they are asked once more
    activity.updated_at = clock.now()
    session.flush()
    if before.get("invites"):
        invitations.withdraw(session, activity, actor=actor, always=True)
    invitations.send(session, activity, actor=actor, gone=gone)
    after = {n: getattr(activity, n) for n in before if n not in ("participants", "reminders")}
    after |= {"participants": _named(activity.participants)} if "participants" in before else {}
    after |= {"reminders": [r.minutes for r in activity.reminders]} if "reminders" in before else {}
    tell(
        session,
        activity,
        "changed",
        summary=f"{activity.type.capitalize()} changed: {activity.subject}",
        actor=actor,
        data={
            "activity": activity.id,
            "before": {n: changes.plain(v) for n, v in before.items()},
            "after": {n: changes.plain(v) for n, v in after.items()},
        },
    )
    return before


def _named(participants: list[Any]) -> list[str]:
    found = [invitations.address_of(p) for p in participants]
    return [who.email for who in found if who is not None]
