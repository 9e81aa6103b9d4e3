"""The workspace: statuses, pipelines, fields, users, mode and all else that is set up, part by part."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from api import auth
from api.auth import require
from api.parameters import Query
from api.resource import answer, group, refused
from core import db
from core.errors import Stale
from intake import sources
from models.user import Role
from workspace import amend
from workspace.apply import DryRun
from workspace.change import Change as Changed
from workspace.export import export

resource = group("workspace", "What everything is set up with")


class Workspace(BaseModel):
    """All parts, in the words of the workspace file. Secrets are sealed, and may be sent back so."""

    version: int
    settings: dict[str, Any]


class Parts(BaseModel):
    """Parts in the words of the workspace file; one that is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    settings: dict[str, Any] = Field(
        description="`workspace` and `numbers` word by word, where null takes a word back; lists as a whole"
    )


class Change(BaseModel):
    """One thing that came of it."""

    action: str = Field(description="add, change or remove")
    what: str
    fields: list[str]


class Amended(Workspace):
    """The workspace after a change, and what it changed."""

    changes: list[Change]


class AmendQuery(Query):
    """Whether it is only to be tried."""

    dry_run: bool = Field(False, description="Only tell what would change")


@resource.get("/workspace", responses={200: Workspace})
@require(Role.ADMIN)
def get_workspace() -> Response:
    """Everything that is set up."""
    with db.reading() as session:
        version = amend.version(session)
        made = Workspace(version=version, settings=export(session))
    return _tagged(answer(made), version)


@resource.patch("/workspace", responses={200: Amended, **refused(400, 412, 413, 415)})
@require(Role.ADMIN)
def change_workspace(query: AmendQuery, body: Parts) -> Response:
    """Sets the parts that are given. What a list leaves out is switched off, and nothing is lost by that."""
    made: list[Amended] = []
    try:
        with db.unit_of_work() as session:
            made.append(_amended(session, body))
            if query.dry_run:
                raise DryRun  # noqa: TRY301  it takes the transaction back
    except DryRun:
        return answer(made[0])
    sources.forget()
    return _tagged(answer(made[0]), made[0].version)


def _amended(session: Session, body: Parts) -> Amended:
    wanted = [tag.strip() for tag in request.headers.get("If-Match", "*").split(",")]
    if wanted != ["*"] and _tag(amend.version(session, lock=True)) not in wanted:
        raise Stale("it was changed meanwhile; read it again")
    changes = amend.amend(session, body.settings, by=auth.caller().actor)
    return Amended(
        version=amend.version(session),
        settings=export(session),
        changes=[_change(change) for change in changes],
    )


def _change(change: Changed) -> Change:
    return Change(action=change.action, what=change.what, fields=list(change.settings))


def _tag(version: int) -> str:
    return f'"workspace-{version}"'


def _tagged(told: Response, version: int) -> Response:
    told.headers["ETag"] = _tag(version)
    return told
