"""Mailboxes: how each stands, another try for a stopped one, and comparing it with the journal."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, Self

from flask import Response
from pydantic import BaseModel, Field

from api.auth import require
from api.resource import answer, group, refused
from core import db
from intake.mailbox import desk, report
from models.user import Role

resource = group("mailboxes", "Mailboxes that are watched")


class MailboxPath(BaseModel):
    """A mailbox's key in an address."""

    key: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")


class Folder(BaseModel):
    """A folder of a mailbox."""

    folder: str
    state: str
    last_uid: int
    reconciled_at: datetime | None
    reconciliation: dict[str, Any] | None = Field(
        description="Numbers of messages: on_server, journalled, older (than counts), missing (of these "
        "missed were new, known were not, failed could not be had), gone (from the folder since last time)"
    )


class Mailbox(BaseModel):
    """How a mailbox stands."""

    key: str
    name: str
    state: Literal["watching", "interrupted", "stopped", "unwatched"]
    since: datetime | None = Field(description="When it came to stand so")
    error: str
    trouble: str = Field(description="What is wrong, in words; empty where nothing is")
    seen_at: datetime | None = Field(description="When its watcher last said that it is there")
    last_message_at: datetime | None
    lag_seconds: float | None = Field(description="For how long nobody has looked; 0 while it is watched")
    token_expires_at: datetime | None = Field(description="When signing in by its grant ends, where known")
    reconcile_asked_at: datetime | None
    reconciled_at: datetime | None
    missed: int = Field(description="What the last comparison found that was not in the journal, and fetched")
    folders: list[Folder]

    @classmethod
    def of(cls, found: report.MailboxReport) -> Self:
        """A mailbox as it is told."""
        return cls.model_validate(found.values())


class Mailboxes(BaseModel):
    """All mailboxes."""

    items: list[Mailbox]


@resource.get("/mailboxes", responses={200: Mailboxes})
def list_mailboxes() -> Response:
    """The mailboxes in use."""
    with db.reading() as session:
        return answer(Mailboxes(items=[Mailbox.of(one) for one in report.of_all(session)]))


@resource.get("/mailboxes/<key>", responses={200: Mailbox, **refused(404)})
def get_mailbox(path: MailboxPath) -> Response:
    """One mailbox."""
    with db.reading() as session:
        return answer(Mailbox.of(report.of_one(session, path.key)[1]))


@resource.post("/mailboxes/<key>/reconcile", responses={202: Mailbox, **refused(404)})
@require(Role.ADMIN, Role.MANAGER)
def reconcile_mailbox(path: MailboxPath) -> Response:
    """Asks for a comparison of what the server holds with the journal; see `reconciled_at`."""
    with db.unit_of_work() as session:
        source_id, _ = report.of_one(session, path.key)
        desk.ask_reconciliation(session, source_id)
        return answer(Mailbox.of(report.of_one(session, path.key)[1]), 202)


@resource.post("/mailboxes/<key>/retry", responses={202: Mailbox, **refused(404)})
@require(Role.ADMIN, Role.MANAGER)
def retry_mailbox(path: MailboxPath) -> Response:
    """Lets a stopped mailbox sign in again."""
    with db.unit_of_work() as session:
        source_id, _ = report.of_one(session, path.key)
        desk.wake(session, source_id)
        return answer(Mailbox.of(report.of_one(session, path.key)[1]), 202)
