"""What the API says of imports, and what it is told of them."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, Self

from flask_openapi3 import FileStorage
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from api.body import Line as BodyLine
from api.body import Name
from api.parameters import PageQuery, Query
from intake import import_jobs
from models.import_job import Duplicates, Imported, ImportJob, ImportState, RowOutcome

_MOST_MAPPED = 500


def _said(value: object) -> object:
    return value if isinstance(value, str) else json.dumps(value)


def _file(value: object) -> object:
    if not hasattr(value, "stream"):
        raise ValueError("is no file")
    return value


#: Text of a form, which flask_openapi3 has read as JSON where it could.
Said = Annotated[str, BeforeValidator(_said)]


class Column(BaseModel):
    """A column of the file, and what it becomes."""

    header: str
    target: str = Field(description="A field of what the rows are, `fields.NAME`, or `-` for nothing")
    samples: list[str]


class Import(BaseModel):
    """A file, and how far it is brought in."""

    id: int
    what: Imported = Field(description="What its rows are")
    name: str
    kind: str = Field(description="csv, xlsx or vcard")
    charset: str
    delimiter: str
    source: str
    state: ImportState
    duplicates: Duplicates
    rules: bool
    tags: list[str]
    columns: list[Column]
    total: int | None = Field(description="Rows of the file; null until it was read through")
    position: int = Field(description="Rows that are done with")
    created: int
    updated: int
    skipped: int
    failed: int
    removed: int = Field(description="Leads that were taken back")
    restored: int = Field(description="Leads that have the values again that they had before")
    kept: int = Field(description="Rows that were not taken back, since somebody has touched their leads")
    error: str
    by: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None

    @classmethod
    def of(cls, row: ImportJob) -> Self:
        """An import as it is told."""
        told = {
            name: getattr(row, name)
            for name in cls.model_fields
            if name not in ("columns", "source", "charset", "delimiter")
        }
        return cls(
            **told,
            columns=[
                Column(header=c["header"], target=c["target"], samples=c["samples"]) for c in row.columns
            ],
            source=row.source.key,
            charset=row.reading["charset"],
            delimiter=row.reading["delimiter"],
        )


class Upload(BaseModel):
    """A file, and how it is to be brought in."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    file: Annotated[FileStorage, AfterValidator(_file)]
    what: Imported = Field(Imported.LEAD, description="What its rows are")
    source: str = Field(
        import_jobs.SOURCE, pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", description="Key of the leads' source"
    )
    duplicates: Duplicates = Field(
        Duplicates.SKIP,
        description="What becomes of rows of people who have a lead already, and of what is there",
    )
    rules: bool = Field(False, description="Whether rules react to what is brought in")
    tags: Said = Field("", max_length=1000, description="Tags of all leads, separated by commas")
    owner: Said = Field("", max_length=320, description="Address or name of who gets what no row gives")
    mapping: Said = Field(
        "", max_length=20_000, description='JSON object from headers to targets, such as {"Mobile": "phone"}'
    )
    delimiter: Said = Field("", max_length=1, description="Where it is not told by the file")
    charset: Said = Field("", max_length=40, description="Where it is not told by the file")
    sheet: Said = Field("", max_length=200, description="Of a workbook; the first one where none is named")
    start: bool = Field(False, description="Begin at once, without a look at what would become of it")


class Correction(BaseModel):
    """What is to be otherwise, before the import is started."""

    model_config = ConfigDict(extra="forbid")

    mapping: dict[BodyLine, Name] | None = Field(
        None, max_length=_MOST_MAPPED, description="From headers, or numbers of columns, to targets"
    )
    duplicates: Duplicates | None = None
    rules: bool | None = None


class ForeseenRow(BaseModel):
    """A row, and what would become of it: created, known (the duplicate policy decides) or failed."""

    row: int
    becomes: str
    name: str
    emails: list[str]
    phones: list[str]
    company: str | None
    values: dict[str, str] = Field(description="All that the row says in words, by target")
    tags: list[str]
    fields: dict[str, Any]
    problems: list[str]


class Foreseen(BaseModel):
    """What would become of the first rows."""

    rows: int
    created: int
    known: int
    failed: int
    items: list[ForeseenRow]


class BroughtRow(BaseModel):
    """What became of a row."""

    row: int
    outcome: RowOutcome
    lead_id: int | None
    element_id: int | None = Field(description="What it became where rows are no leads")
    reason: str


class RowQuery(PageQuery):
    """Which rows."""

    outcome: RowOutcome | None = None


class ForeseeQuery(Query):
    """How many rows."""

    limit: int = Field(100, ge=1, le=1000)
