"""Rules as they were published, what they started, and why."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from core.amended import Amended
from core.appended import Appended
from models.base import Base, Key, UuidText, Word, states
from models.contact import Contact
from models.deal import Deal
from models.lead import Lead


class RunState(StrEnum):
    """Where a run stands."""

    ACTIVE = "active"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StepState(StrEnum):
    """Where a step stands."""

    READY = "ready"  # deferred, to be run once due
    RUNNING = "running"  # claimed by a worker until its lease ends
    WAITING = "waiting"  # for its time, or for what it awaits
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"  # the attempt was cut off where its effect may have happened
    SKIPPED = "skipped"  # somebody decided to go on without it
    CANCELLED = "cancelled"


class RulesetVersion(Base):
    """An immutable published set of rules."""

    __tablename__ = "ruleset_version"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    rules: Mapped[list[Any]]
    # What they were tried with when they were published.
    tests: Mapped[list[Any]] = mapped_column(default=list)
    content_hash: Mapped[str] = mapped_column(String(64))
    published_at: Mapped[datetime]
    published_by: Mapped[str]
    why: Mapped[str] = mapped_column(default="")


_ON_NOTHING = text("lead_id IS NULL AND deal_id IS NULL AND contact_id IS NULL")


def _of_others(table: str) -> tuple[Index, ...]:
    """Indexes of what is about a deal or a contact; they cost nothing where it is about a lead."""
    return tuple(
        Index(
            f"ix_{table}_{column}",
            column,
            postgresql_where=text(f"{column} IS NOT NULL"),
            sqlite_where=text(f"{column} IS NOT NULL"),
        )
        for column in ("deal_id", "contact_id")
    )


class Run(Base):
    """One rule on one element for one happening.

    On a deal where `deal_id` says so (`lead_id` is then where the deal came from), else on a lead, else on a
    contact; on nothing where none of them is there.
    """

    __tablename__ = "run"
    __table_args__ = (
        UniqueConstraint("effect_key"),
        *_of_others("run"),
        Index(
            "ix_run_on_nothing", "rule", "started_at", postgresql_where=_ON_NOTHING, sqlite_where=_ON_NOTHING
        ),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    ruleset_version_id: Mapped[int] = mapped_column(ForeignKey("ruleset_version.id"))
    rule: Mapped[str]
    lead_id: Mapped[int | None] = mapped_column(ForeignKey("lead.id"), index=True)
    deal_id: Mapped[int | None] = mapped_column(ForeignKey("deal.id"))
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id"))
    state: Mapped[RunState] = mapped_column(states(RunState), default=RunState.ACTIVE)
    # Event, version, rule and depth: the same happening never starts the same rule twice.
    effect_key: Mapped[str] = mapped_column(String(200))
    depth: Mapped[int]
    # What started it, so that a later step sees it too: see rules.facts.
    cause: Mapped[dict[str, Any]] = mapped_column(default=dict)
    # Why it ended before its last step, in words.
    ended_why: Mapped[str | None]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]

    lead: Mapped[Lead | None] = relationship()
    deal: Mapped[Deal | None] = relationship()
    contact: Mapped[Contact | None] = relationship()
    steps: Mapped[list[StepRow]] = relationship(back_populates="run", order_by="StepRow.path")


class StepRow(Appended, Base):
    """One action of a run. Deferred ones are claimed by lease, like events."""

    __tablename__ = "step"
    __table_args__ = (
        UniqueConstraint("run_id", "path"),
        Index(
            "ix_step_due",
            "due_at",
            postgresql_where=text("state in ('ready', 'running', 'waiting')"),
            sqlite_where=text("state in ('ready', 'running', 'waiting')"),
        ),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"))
    # Where in the rule it stands, so that it sorts: "000", "001"; inside a branch "001.then.000",
    # in the third round of a loop "001.do#0002.000".
    path: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(Word)
    settings: Mapped[dict[str, Any]]
    # The trigger it waits for, and what it left for later steps: a loop's items, a wait's outcome, an answer.
    awaits: Mapped[str | None] = mapped_column(Word)
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)
    state: Mapped[StepState] = mapped_column(states(StepState))
    due_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    result: Mapped[str | None]

    run: Mapped[Run] = relationship(back_populates="steps")


class Trace(Appended, Base):
    """Why: which rules were looked at for one happening, and what each saw. About what a run would be on."""

    __tablename__ = "trace"
    __table_args__ = (*_of_others("trace"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    lead_id: Mapped[int | None] = mapped_column(ForeignKey("lead.id"), index=True)
    deal_id: Mapped[int | None] = mapped_column(ForeignKey("deal.id"))
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id"))
    event_id: Mapped[str | None] = mapped_column(UuidText)
    trigger: Mapped[str] = mapped_column(Word)
    at: Mapped[datetime]
    ruleset_version_id: Mapped[int | None] = mapped_column(ForeignKey("ruleset_version.id"))
    # Each rule that was looked at. Among many, those that could not match are only told together, in
    # `passed`; `seen` is what they were judged by: the values from a place in the rules' order on.
    rules: Mapped[list[Any]]
    passed: Mapped[list[Any]] = mapped_column(default=list)
    seen: Mapped[list[Any]] = mapped_column(default=list)


class CronRule(Base):
    """Where a rule that comes again stands: its next time, and how far its present one has come.

    Moved on by the scheduler in the transactions that start the runs; a row whose rule is gone is let be.
    """

    __tablename__ = "cron_rule"

    rule: Mapped[str] = mapped_column(String(120), primary_key=True)
    at: Mapped[str]
    next_at: Mapped[datetime]
    # The time that is being worked through, and the last lead that was looked at for it.
    running_at: Mapped[datetime | None]
    last_lead_id: Mapped[int | None] = mapped_column(Key)


class Rotation(Amended, Base):
    """Whose turn it is. Its row is locked while a lead is given out, which keeps the shares exact."""

    __tablename__ = "rotation"

    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    last_user_id: Mapped[int | None] = mapped_column(Key)
    # With weights: what each is owed, by the user's id.
    credits: Mapped[dict[str, Any]] = mapped_column(default=dict)
