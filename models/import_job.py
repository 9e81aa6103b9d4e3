"""Imports: a file that is brought in row by row, and what became of each row."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, Key, Word, states
from models.source import Source


class ImportState(StrEnum):
    """Where an import stands."""

    DRAFT = "draft"  # its file lies in the storage; nobody has started it
    WAITING = "waiting"  # started: a worker takes it on, batch by batch
    DONE = "done"
    STOPPED = "stopped"  # by a person, or because the file cannot be read any further: see `error`
    UNDOING = "undoing"
    UNDONE = "undone"


#: The states in which a worker has something to do.
AT_WORK = (ImportState.WAITING, ImportState.UNDOING)


class Imported(StrEnum):
    """What the rows of a file are."""

    LEAD = "lead"
    CONTACT = "contact"
    COMPANY = "company"
    DEAL = "deal"
    PRODUCT = "product"


class Duplicates(StrEnum):
    """What becomes of a row whose person has a lead already, or which is there already as what it is."""

    SKIP = "skip"
    UPDATE = "update"  # the row's values replace the lead's
    ADD = "add"  # one more lead


class RowOutcome(StrEnum):
    """What became of a row."""

    CREATED = "created"
    UPDATED = "updated"
    SKIPPED = "skipped"
    FAILED = "failed"
    REMOVED = "removed"  # it was created, and taken back with the import
    RESTORED = "restored"  # it had updated a lead, which has its former values again
    KEPT = "kept"  # not taken back: somebody has touched it since


class ImportJob(Base):
    """One file. `position` and the counts move in the transactions that write its rows."""

    __tablename__ = "import_job"
    __table_args__ = (
        Index(
            "ix_import_job_at_work",
            "due_at",
            postgresql_where=text("state IN ('waiting', 'undoing')"),
            sqlite_where=text("state IN ('waiting', 'undoing')"),
        ),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"))
    what: Mapped[Imported] = mapped_column(states(Imported), default=Imported.LEAD, server_default="lead")
    name: Mapped[str]
    # 'csv', 'xlsx' or 'vcard', and what is needed to read it: charset, delimiter, sheet.
    kind: Mapped[str] = mapped_column(Word)
    reading: Mapped[dict[str, Any]]
    place: Mapped[str]
    size: Mapped[int]
    # Each column: header, target, whether its texts are numbers, and some samples.
    columns: Mapped[list[Any]]
    duplicates: Mapped[Duplicates] = mapped_column(states(Duplicates))
    rules: Mapped[bool]
    tags: Mapped[list[str]]
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    state: Mapped[ImportState] = mapped_column(states(ImportState), default=ImportState.DRAFT)
    # Rows in chunks in the storage; None until the file has been read through.
    total: Mapped[int | None]
    position: Mapped[int] = mapped_column(default=0)
    created: Mapped[int] = mapped_column(default=0)
    updated: Mapped[int] = mapped_column(default=0)
    skipped: Mapped[int] = mapped_column(default=0)
    failed: Mapped[int] = mapped_column(default=0)
    removed: Mapped[int] = mapped_column(default=0)
    restored: Mapped[int] = mapped_column(default=0)
    kept: Mapped[int] = mapped_column(default=0)
    # When a worker may take it (again).
    due_at: Mapped[datetime]
    tries: Mapped[int] = mapped_column(default=0)
    error: Mapped[str] = mapped_column(default="")
    by: Mapped[str]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    source: Mapped[Source] = relationship()


class ImportRow(Base):
    """What became of one row; failed ones keep their cells, for the error file."""

    __tablename__ = "import_row"
    __table_args__ = (Index("ix_import_row_job_id_outcome_number", "job_id", "outcome", "number"),)

    job_id: Mapped[int] = mapped_column(ForeignKey("import_job.id", ondelete="CASCADE"), primary_key=True)
    # As the file counts them: the first row beneath the header of a table is 2.
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    outcome: Mapped[RowOutcome] = mapped_column(states(RowOutcome))
    lead_id: Mapped[int | None] = mapped_column(Key, index=True)
    # What it became where it is no lead: a row of the table that the job's `what` names.
    element_id: Mapped[int | None] = mapped_column(Key)
    reason: Mapped[str] = mapped_column(default="")
    cells: Mapped[list[Any] | None]
    # What an updated lead had before, by field.
    before: Mapped[dict[str, Any] | None]
    # The newest entry of all timelines when the row was written: whatever is later was done since.
    entry_id: Mapped[int] = mapped_column(Key, default=0)
