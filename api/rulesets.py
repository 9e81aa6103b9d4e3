"""The rules: what was published, what a draft would do, and publishing it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from flask import Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from api import auth
from api.auth import require
from api.body import Line
from api.paging import Page, page
from api.parameters import PageQuery, RowPath
from api.resource import answer, group, refused
from core import db
from core.errors import Invalid, NotFound
from models.rule import RulesetVersion
from models.user import Role
from models.workspace import WorkspaceRow
from rules.backtest import backtest
from rules.difference import difference
from workspace import from_afar
from workspace.apply import apply
from workspace.check import check
from workspace.document import Document

resource = group("rulesets", "The rules: drafts, versions, and what they would do")


class Draft(BaseModel):
    """Rules that are not in force, in the workspace file's own form."""

    model_config = ConfigDict(extra="forbid")

    rules: list[Any] = Field(max_length=20_000)
    tests: list[Any] = Field(default_factory=list, max_length=2_000)


class NewVersion(Draft):
    """Rules to be put in force."""

    why: Line = Field("", description="Why, for whoever looks at the versions")


class Trial(Draft):
    """Rules to be tried on past leads."""

    days: int = Field(30, ge=1, le=3650, description="How far to look back")


class Reason(BaseModel):
    """Why something is done."""

    model_config = ConfigDict(extra="forbid")

    why: Line = ""


class Version(BaseModel):
    """A published set of rules."""

    id: int
    in_force: bool
    published_at: datetime
    published_by: str
    why: str
    rules: list[Any]
    tests: list[Any]
    differences: list[str] = Field(description="From the version before it, in words")

    @classmethod
    def of(cls, session: Session, row: RulesetVersion) -> Self:
        """A version as it is told."""
        workspace = session.get_one(WorkspaceRow, 1)
        before = session.scalars(
            select(RulesetVersion)
            .where(RulesetVersion.id < row.id)
            .order_by(RulesetVersion.id.desc())
            .limit(1)
        ).first()
        return cls(
            id=row.id,
            in_force=workspace.ruleset_version_id == row.id,
            published_at=row.published_at,
            published_by=row.published_by,
            why=row.why,
            rules=row.rules,
            tests=row.tests,
            differences=list(difference(before.rules if before else [], row.rules)),
        )


class Backtest(BaseModel):
    """What a draft would have done; see `portaria rules backtest`."""

    since: datetime
    leads: int
    owner_changes: int
    unassigned: dict[str, int]
    waited: dict[str, int] = Field(description="Leads that nobody could have when they came")
    activities: dict[str, int]
    rules: dict[str, dict[str, int]]
    people: dict[str, dict[str, int]]
    moved: list[dict[str, Any]] = Field(description="At most a thousand leads that would go elsewhere")


class Checked(BaseModel):
    """That a draft has no mistakes."""

    rules: int
    differences: list[str] = Field(description="From the rules in force, in words")


@resource.get("/rulesets", responses={200: Page[Version]})
def list_rulesets(query: PageQuery) -> Response:
    """The versions, the last published first."""
    with db.reading() as session:
        rows, following = page(session, select(RulesetVersion), RulesetVersion.id, query, of="rulesets")
        items = [Version.of(session, row) for row in rows]
    return answer(Page[Version](items=items, next_cursor=following))


@resource.get("/rulesets/<row:id>", responses={200: Version, **refused(404)})
def get_ruleset(path: RowPath) -> Response:
    """One version."""
    with db.reading() as session:
        return answer(Version.of(session, _existing(session, path.id)))


@resource.post("/rulesets/check", responses={200: Checked, **refused(400, 413, 415)})
def check_ruleset(body: Draft) -> Response:
    """Finds mistakes in a draft; its tests are carried out when it is published."""
    with db.reading() as session:
        checked = check(session, _document(session, body))
        lines = list(difference(_in_force(session), checked.stored["rules"]))
    return answer(Checked(rules=len(body.rules), differences=lines))


@resource.post("/rulesets/backtest", responses={200: Backtest, **refused(400, 413, 415)})
@require(Role.ADMIN, Role.MANAGER)
def backtest_ruleset(body: Trial) -> Response:
    """Tries a draft on the leads of the last days: who would have gone elsewhere. Nothing is written."""
    with db.reading() as session:
        checked = check(session, _document(session, body))
        found = backtest(session, checked.stored["rules"], days=body.days).as_data()
    return answer(Backtest(**{**found, "moved": found["moved"][:1000]}))


@resource.post("/rulesets", responses={201: Version, **refused(400, 413, 415)})
@require(Role.ADMIN, Role.MANAGER)
def publish_ruleset(body: NewVersion) -> Response:
    """Puts a draft in force, if it has no mistakes and its tests come out as expected."""
    with db.unit_of_work() as session:
        apply(session, check(session, _document(session, body)), by=auth.caller().actor, why=body.why)
        made = _present(session)
    return answer(made, 201)


@resource.post("/rulesets/<row:id>/rollback", responses={201: Version, **refused(400, 404, 413, 415)})
@require(Role.ADMIN, Role.MANAGER)
def rollback_ruleset(path: RowPath, body: Reason) -> Response:
    """Publishes an older version again, as a new one; its tests must hold today."""
    with db.unit_of_work() as session:
        old = _existing(session, path.id)
        parts = Document(values={"rules": old.rules, "tests": old.tests})
        why = body.why or f"back to version {old.id}"
        apply(session, check(session, parts), by=auth.caller().actor, why=why)
        made = _present(session)
    return answer(made, 201)


def _document(session: Session, body: Draft) -> Document:
    values = {"rules": body.rules, "tests": body.tests}
    from_afar.check_references(session, values)
    return Document(values=values)


def _existing(session: Session, number: int) -> RulesetVersion:
    row = session.get(RulesetVersion, number)
    if row is None:
        raise NotFound(f"there is no version {number} of the rules")
    return row


def _present(session: Session) -> Version:
    number = session.get_one(WorkspaceRow, 1).ruleset_version_id
    if number is None:
        raise Invalid("no rules are in force")
    return Version.of(session, session.get_one(RulesetVersion, number))


def _in_force(session: Session) -> list[Any]:
    row = session.get(WorkspaceRow, 1)
    if row is None or row.ruleset_version_id is None:
        return []
    return session.get_one(RulesetVersion, row.ruleset_version_id).rules
