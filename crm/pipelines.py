"""Pipelines and their stages: looked up, and the one there is where nobody has said another."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, selectinload

from core.errors import Invalid
from models.pipeline import Pipeline, Stage, StageGroup

DEFAULT = "sales"
_STAGES = (
    ("new", "New", StageGroup.OPEN, 10),
    ("qualified", "Qualified", StageGroup.OPEN, 30),
    ("proposal", "Proposal", StageGroup.OPEN, 60),
    ("negotiation", "Negotiation", StageGroup.OPEN, 80),
    ("won", "Won", StageGroup.WON, 100),
    ("lost", "Lost", StageGroup.LOST, 0),
)
DEFAULT_STAGES = tuple(key for key, *_ in _STAGES)


def all_pipelines(session: Session) -> Sequence[Pipeline]:
    """The active pipelines in their order; the first is the one for deals of which nothing is said."""
    return session.scalars(
        select(Pipeline)
        .where(Pipeline.active)
        .options(selectinload(Pipeline.stages))
        .order_by(Pipeline.position, Pipeline.id)
    ).all()


def ensure(session: Session) -> Sequence[Pipeline]:
    """The active pipelines; a sensible one is made where there is none."""
    found = all_pipelines(session)
    if found:
        return found
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    # Of two who need it at once, one makes it.
    session.execute(
        dialect.insert(Pipeline)
        .values(key=DEFAULT, name="Sales", position=0, active=True)
        .on_conflict_do_nothing(index_elements=["key"])
    )
    pipeline = session.scalars(
        select(Pipeline).where(Pipeline.key == DEFAULT).with_for_update(of=Pipeline)
    ).one()
    pipeline.active = True
    if not pipeline.stages:
        pipeline.stages = [
            Stage(key=key, name=name, group=group, probability=probability, position=place)
            for place, (key, name, group, probability) in enumerate(_STAGES)
        ]
    session.flush()
    return [pipeline]


def find(session: Session, key: str | None, *, field: str = "/pipeline") -> Pipeline:
    """The active pipeline of this key, or the first. Raises Invalid, naming `field`."""
    return choose(ensure(session), key, field=field)


def choose(there: Sequence[Pipeline], key: str | None, *, field: str = "/pipeline") -> Pipeline:
    """The one of these, as `find` does it."""
    found = there[0] if key is None else next((p for p in there if p.key == key), None)
    if found is None:
        known = ", ".join(p.key for p in there)
        raise Invalid("some values are not acceptable", {field: f"is no pipeline; there are {known}"})
    return found


def stage(pipeline: Pipeline, key: str | None, *, field: str = "/stage") -> Stage:
    """The pipeline's stage of this key, or its first open one. Raises Invalid, naming `field`.

    `won` and `lost` also mean the first stage of that group.
    """
    there = [s for s in pipeline.stages if s.active]
    if key is None:
        return next(s for s in there if s.group is StageGroup.OPEN)
    found = next((s for s in there if s.key == key), None)
    if found is None and key in ("won", "lost"):
        found = next((s for s in there if s.group.value == key), None)
    if found is None:
        known = ", ".join(s.key for s in there)
        words = f"is no stage of '{pipeline.key}'; there are {known}"
        raise Invalid("some values are not acceptable", {field: words})
    return found
