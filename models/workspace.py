"""The workspace's own settings, and the small documents that belong to it."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Key, Word


class WorkspaceRow(Base):
    """One row: who we are, and the version that tells every process when to read the configuration anew."""

    __tablename__ = "workspace"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[int]
    # Another one with each change, also in another database: what was read under it may be kept.
    stamp: Mapped[str] = mapped_column(default="", server_default="")
    settings: Mapped[dict[str, Any]]
    # The values of the ${NAMES} used in the workspace file, as they were when it was applied; sealed.
    environment: Mapped[str] = mapped_column(default="")
    # The promises about first answers, in their order: see rules.sla.
    sla: Mapped[list[Any]] = mapped_column(default=list)
    # How text messages are sent, with secrets sealed: see rules.sms.
    sms: Mapped[dict[str, Any]] = mapped_column(default=dict)
    # Reasons, currencies, custom fields and what else the CRM is set up with: see crm.catalogue.
    crm: Mapped[dict[str, Any]] = mapped_column(default=dict)
    # The endpoints that are told what happens, with secrets sealed: see rules.webhooks.
    webhooks: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    ruleset_version_id: Mapped[int | None] = mapped_column(Key)


class Calendar(Base):
    """Working hours and holidays, as the workspace file says them."""

    __tablename__ = "calendar"

    key: Mapped[str] = mapped_column(Word, primary_key=True)
    settings: Mapped[dict[str, Any]]


class Territory(Base):
    """A table of who has which territory, as the workspace file says it."""

    __tablename__ = "territory"

    key: Mapped[str] = mapped_column(Word, primary_key=True)
    settings: Mapped[dict[str, Any]]


class NamedList(Base):
    """Values under one name, as the workspace file says them, for conditions to ask."""

    __tablename__ = "named_list"

    key: Mapped[str] = mapped_column(Word, primary_key=True)
    settings: Mapped[dict[str, Any]]


class Template(Base):
    """A text to send, as the workspace file says it."""

    __tablename__ = "template"

    key: Mapped[str] = mapped_column(Word, primary_key=True)
    settings: Mapped[dict[str, Any]]
