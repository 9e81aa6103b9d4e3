"""Pipelines: the stages that deals go through. They are set up in the workspace file."""

from __future__ import annotations

from flask import Response
from pydantic import BaseModel, Field

from api.paging import Page
from api.resource import answer, group
from core import db
from crm import catalogue, pipelines
from models.pipeline import StageGroup

resource = group("pipelines", "The stages that deals go through")


class Stage(BaseModel):
    """One stage."""

    key: str
    name: str
    group: StageGroup
    probability: int
    requires: list[str]
    reason_required: bool


class Pipeline(BaseModel):
    """The stages that deals go through, in their order."""

    key: str
    name: str
    stages: list[Stage]


class Reason(BaseModel):
    """Why a deal is closed, or a lead is no enquiry."""

    key: str
    name: str
    group: StageGroup | None


class Reasons(BaseModel):
    """The reasons that the workspace has."""

    closing: list[Reason]
    junk: list[Reason]


class Tag(BaseModel):
    """A tag that is offered where tags are given."""

    name: str
    about: str = Field(description="What it is for")


@resource.get("/tags", responses={200: Page[Tag]})
def list_tags() -> Response:
    """The tags that the workspace offers; others may be given too."""
    with db.reading() as session:
        items = [Tag(name=tag.name, about=tag.about) for tag in catalogue.load(session).tags]
    return answer(Page[Tag](items=items, next_cursor=None))


@resource.get("/pipelines", responses={200: Page[Pipeline]})
def list_pipelines() -> Response:
    """The pipelines; the first is the one for deals of which nothing is said."""
    with db.unit_of_work() as session:
        items = [
            Pipeline(
                key=line.key,
                name=line.name,
                stages=[
                    Stage(
                        key=stage.key,
                        name=stage.name,
                        group=stage.group,
                        probability=stage.probability,
                        requires=stage.requires,
                        reason_required=stage.reason_required,
                    )
                    for stage in line.stages
                    if stage.active
                ],
            )
            for line in pipelines.ensure(session)
        ]
    return answer(Page[Pipeline](items=items, next_cursor=None))


@resource.get("/reasons", responses={200: Reasons})
def list_reasons() -> Response:
    """Why deals are won or lost, and why leads are no enquiries."""
    with db.reading() as session:
        known = catalogue.load(session)
    closing = [
        Reason(key=r.key, name=r.name or r.key, group=StageGroup(r.group) if r.group else None)
        for r in known.closing_reasons
    ]
    junk = [Reason(key=r.key, name=r.name or r.key, group=None) for r in known.junk_reasons]
    return answer(Reasons(closing=closing, junk=junk))
