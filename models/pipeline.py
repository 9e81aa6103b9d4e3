"""Pipelines: the stages that a deal goes through."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, Key, Word, states


class StageGroup(StrEnum):
    """What a deal in a stage is."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"


class Pipeline(Base):
    """A way from a first talk to a contract; never deleted, only made inactive: deals stand in it."""

    __tablename__ = "pipeline"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    key: Mapped[str] = mapped_column(Word, unique=True)
    name: Mapped[str]
    position: Mapped[int] = mapped_column(default=0)
    active: Mapped[bool] = mapped_column(default=True)

    stages: Mapped[list[Stage]] = relationship(
        back_populates="pipeline", order_by="(Stage.position, Stage.id)"
    )


class Stage(Base):
    """One stage; never deleted, only made inactive.

    `requires` are the fields that a deal must have filled to come here, custom ones as `fields.<key>`;
    `reason_required` says whether a deal that is closed here needs one of the closing reasons.
    """

    __tablename__ = "stage"
    __table_args__ = (UniqueConstraint("pipeline_id", "key"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    pipeline_id: Mapped[int] = mapped_column(ForeignKey("pipeline.id"))
    key: Mapped[str] = mapped_column(Word)
    name: Mapped[str]
    group: Mapped[StageGroup] = mapped_column(states(StageGroup), default=StageGroup.OPEN)
    position: Mapped[int] = mapped_column(default=0)
    # How likely a deal here is won, in per cent.
    probability: Mapped[int] = mapped_column(default=0)
    requires: Mapped[list[str]] = mapped_column(default=list)
    reason_required: Mapped[bool] = mapped_column(default=False)
    active: Mapped[bool] = mapped_column(default=True)

    pipeline: Mapped[Pipeline] = relationship(back_populates="stages")
