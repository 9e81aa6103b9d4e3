"""Who works here: users, their teams, and the tokens that speak for a program."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Key, Word, states


class Role(StrEnum):
    """What a user or token may do."""

    ADMIN = "admin"  # everything
    MANAGER = "manager"  # all elements and the rules
    AGENT = "agent"  # the elements that the workspace lets them: see crm.rights
    READ_ONLY = "read-only"


class User(Base):
    """A person who signs in or is given leads; never deleted, only made inactive."""

    __tablename__ = "user_account"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    role: Mapped[Role] = mapped_column(states(Role))
    active: Mapped[bool] = mapped_column(default=True)
    skills: Mapped[list[str]] = mapped_column(default=list)
    weight: Mapped[int] = mapped_column(default=1)
    capacity: Mapped[int | None]
    # Most new leads a day, whose hours count, and when they are away: [{"from", "to", "reason"}].
    daily: Mapped[int | None]
    calendar: Mapped[str | None] = mapped_column(Word)
    # Their own telephone, in E.164, and how the telephone system names it.
    phone: Mapped[str | None] = mapped_column(String(20))
    extension: Mapped[str | None] = mapped_column(Word)
    absences: Mapped[list[Any]] = mapped_column(default=list)
    password_hash: Mapped[str | None]
    # Changes with the password, so that older sign-ins end.
    session_epoch: Mapped[int] = mapped_column(default=0)
    # Whether the workspace file names this user; only those does it switch off by leaving them out.
    from_file: Mapped[bool] = mapped_column(default=False)


class Team(Base):
    """Users who share leads."""

    __tablename__ = "team"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    key: Mapped[str] = mapped_column(Word, unique=True)
    name: Mapped[str]
    lead_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    # Whose hours count for members without a calendar of their own.
    calendar: Mapped[str | None] = mapped_column(Word)
    active: Mapped[bool] = mapped_column(default=True)


class TeamMember(Base):
    """A user's place in a team; `position` is the order of the turns."""

    __tablename__ = "team_member"

    team_id: Mapped[int] = mapped_column(ForeignKey("team.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), primary_key=True)
    position: Mapped[int]


class ApiToken(Base):
    """A bearer token: only its hash is kept."""

    __tablename__ = "api_token"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    name: Mapped[str]
    role: Mapped[Role] = mapped_column(states(Role))
    token_hash: Mapped[str] = mapped_column(unique=True)
    # For whom it speaks: it sees and changes what they do; None: all that its role may.
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    # Only these: 'leads:read', 'deals:write', '*:read'; None: all that its role may.
    scopes: Mapped[list[str] | None]
    expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
