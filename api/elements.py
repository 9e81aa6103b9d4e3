"""What contacts, companies, deals and leads have in common at the API: finding, owners, tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, Select, exists, func, or_, select, type_coerce
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import InstrumentedAttribute, Session

from api.body import FieldValue, Name
from api.parameters import Instant, Line, PageQuery
from core.errors import Conflict, Invalid, NotFound
from crm import catalogue, fields, merging, own_sources, workspace
from crm.catalogue import ElementKind
from models.company import Company
from models.contact import Contact
from models.deal import Deal
from models.lead import Lead
from models.user import User

E = TypeVar("E", bound=Lead | Contact | Company | Deal)
T = TypeVar("T", Contact, Company, Deal)


class ElementQuery(PageQuery):
    """The filters that all elements have; an element must fit them all."""

    owner: Line | None = Field(None, description="E-mail address of the user")
    tag: Line | None = None
    q: Line | None = Field(None, description="Text in it, in any case")
    created_after: Instant | None = None


class Body(BaseModel):
    """A body; what it does not know is refused."""

    model_config = ConfigDict(extra="forbid")


class ElementBody(Body):
    """What may be set on every element."""

    owner: Name | None = Field(None, description="E-mail address of a user; null: nobody")
    tags: list[Name] | None = Field(None, max_length=50)
    fields: dict[Name, FieldValue] | None = Field(
        None, max_length=200, description="Custom fields; null takes one away"
    )


class SourcedBody(ElementBody):
    """The same of elements whose source may be said."""

    source: Name | None = Field(
        None, description="The key of one of the workspace's own sources or of a way in; null: none"
    )


def existing(session: Session, table: type[E], row_id: int, *, lock: bool = False) -> E:
    """The element, or the one that it is part of now; to change it (`lock`), the element itself, held until
    the transaction ends.

    Raises NotFound, and Conflict for a change of what is part of another.
    """
    kind = table.__tablename__
    row = session.get(table, row_id, with_for_update={"of": table} if lock else None, populate_existing=lock)
    if row is None:
        raise NotFound(f"there is no such {kind}")
    if isinstance(row, Deal):
        return row
    if lock and row.merged_into_id is not None:
        raise Conflict(f"the {kind} is part of {kind} {row.merged_into_id} now")
    return cast(E, merging.standing(session, row))


def narrowed(session: Session, chosen: Select[T], table: type[T], asked: ElementQuery) -> Select[T]:
    """The elements that fit the filters which all have."""
    if asked.owner is not None:
        owner = select(User.id).where(func.lower(User.email) == asked.owner.lower())
        chosen = chosen.where(table.owner_id.in_(owner))
    if asked.tag is not None:
        chosen = chosen.where(tagged(session, table.tags, asked.tag))
    if asked.created_after is not None:
        chosen = chosen.where(table.created_at > asked.created_after)
    return chosen


def tagged(session: Session, column: InstrumentedAttribute[list[str]], tag: str) -> ColumnElement[bool]:
    """Whether a tag is on."""
    if session.get_bind().dialect.name == "postgresql":
        return type_coerce(column, JSONB).contains([tag])
    each = func.json_each(column).table_valued("value")
    return exists(select(1).select_from(each).where(each.c.value == tag).correlate(column.class_))


def mentions(columns: Sequence[InstrumentedAttribute[Any]], text: str) -> ColumnElement[bool]:
    """Whether one of the columns has the text in it, in any case."""
    return or_(*(column.icontains(text, autoescape=True) for column in columns))


def user(session: Session, email: str | None, *, field: str = "/owner") -> User | None:
    """An active user by their address; None for none. Raises Invalid, naming `field`."""
    if email is None:
        return None
    found = session.scalars(
        select(User).where(func.lower(User.email) == email.lower(), User.active)
    ).one_or_none()
    if found is None:
        raise Invalid("some values are not acceptable", {field: "is no user who works here"})
    return found


def referred(session: Session, values: Mapping[str, Any], tables: Mapping[str, type[Any]]) -> None:
    """Raises Invalid for an id among the values of which there is no row."""
    wrong = {}
    for name, table in tables.items():
        row_id = values.get(name)
        if row_id is None:
            continue
        row = session.get(table, row_id)
        if row is None:
            wrong[f"/{name}"] = "is not there"
        elif getattr(row, "merged_into_id", None) is not None:
            wrong[f"/{name}"] = f"is part of {row.merged_into_id} now"
    if wrong:
        raise Invalid("some values are not acceptable", wrong)


def given(
    session: Session, body: ElementBody, kind: ElementKind, *, complete: bool = False
) -> dict[str, Any]:
    """The columns that a body sets, with owner and custom fields as they are stored."""
    values = body.model_dump(exclude_unset=True)
    if "owner" in values:
        owner = user(session, values.pop("owner"))
        values["owner_id"] = owner.id if owner else None
    if "source" in values:
        key = values.pop("source")
        values["source_id"] = own_sources.find(session, key, own=False).id if key is not None else None
    if "tags" in values:
        values["tags"] = list(dict.fromkeys(values["tags"] or ()))
    if values.get("fields") is not None or complete:
        values["fields"] = fields.checked(
            session,
            kind,
            values.get("fields") or {},
            settings=catalogue.load(session),
            here=workspace.load(session),
            complete=complete,
        )
    else:
        values.pop("fields", None)
    return values


def not_null(values: Mapping[str, Any], *names: str) -> None:
    """Raises Invalid where one of these is taken away."""
    if wrong := {f"/{name}": "cannot be null" for name in names if name in values and values[name] is None}:
        raise Invalid("some values are not acceptable", wrong)
