"""What each column of a file means: told by its header in five languages, else by what stands in it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict

from core.errors import Invalid
from crm.contact_points import email_address
from intake.forms import names
from intake.imports import headers
from intake.imports.row import Cell, Row
from intake.text import one_line

IGNORED = "-"
FIELD = "fields."
#: What a column may become, beside `fields.NAME` for a custom field and `-` for nothing.
TARGETS = (
    "name", "first_name", "last_name", "email", "phone", "company", "title", "message", "tags", "status",
    "source", "reason", "owner", "score", "created_at", "consent", *sorted(names.ATTRIBUTION),
)  # fmt: skip
_MADE = ("tags", "owner")
_TARGETS: Mapping[str, Sequence[str]] = {
    "lead": TARGETS,
    "contact": ("name", "first_name", "last_name", "email", "phone", "company", "position", *_MADE),
    "company": (
        "name", "domain", "email", "phone", "street", "city", "region", "postal_code", "country", *_MADE,
    ),
    "deal": (
        "title", "number", "pipeline", "stage", "reason", "amount", "currency", "expected_close", "email",
        "company", *_MADE,
    ),
    "product": (
        "name", "sku", "section", "description", "unit", "price", "tax_rate", "tax_included", "active",
        "variant_of",
    ),
}  # fmt: skip
#: What must be told of each; one of a line is enough.
_NEEDED = {
    "lead": {"name", "first_name", "last_name", "email", "phone"},
    "contact": {"name", "first_name", "last_name", "email", "phone"},
    "company": {"name"},
    "deal": {"title"},
    "product": {"name"},
}
#: What a column becomes only if all that stands in it is known here.
_WORDS = ("status", "source", "reason")
_PRICE = re.compile(r"price(\.[A-Z]{3})?")
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d{1,10})?")
_DIALLED = re.compile(r"\+?[\d\s().\-/]{7,24}")
_DAY = re.compile(r"\d{4}-\d\d-\d\d|\d\d?[./-]\d\d?[./-]\d{4}")
_MARKED = re.compile(r"^\+|[\s().\-/]")
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,59}")
_ENOUGH = 0.8
_SAMPLES = 3
#: The lead's own names, which no custom field may have.
_OURS = frozenset(
    {
        "id",
        "number",
        "channel",
        "source",
        "owner_id",
        "fields",
        "attribution",
        "contact_id",
        "company_id",
        "consent",
    }
)


class Column(BaseModel):
    """One column: what its header says, what it becomes, and some of what stands in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    header: str
    target: str
    #: Whether its texts are plain numbers, and are kept as such in a custom field.
    numeric: bool = False
    samples: list[str] = []


@dataclass(frozen=True, slots=True)
class Known:
    """What the workspace knows: its custom fields by what their headers may say, and its words for statuses,
    sources and reasons; all folded (see `headers.folded`)."""

    fields: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, frozenset[str]] = field(default_factory=dict)


def understand(
    rows: Sequence[Row], what: str = "lead", known: Known | None = None
) -> tuple[list[Column], bool]:
    """The columns by the beginning of a file, and whether its first row is a header."""
    known = known or Known()
    headed = not _is_data(rows[0])
    width = max(len(row.cells) for row in rows)
    headers = [_text(c) for c in rows[0].cells] if headed else []
    headers += [""] * (width - len(headers))
    under = [row for row in rows[1 if headed else 0 :] if not row.problem]
    found: list[Column] = []
    taken: set[str] = set()
    for place, header in enumerate(headers):
        values = [v for row in under if (v := _text(row.cells[place] if place < len(row.cells) else None))]
        target = _target(header, values, taken, what, known)
        taken.add(target)
        numeric = bool(values) and all(_NUMBER.fullmatch(v) for v in values)
        samples = [one_line(v)[:100] for v in dict.fromkeys(values)][:_SAMPLES]
        label = header[:200] or f"Column {place + 1}"
        found.append(Column(header=label, target=target, numeric=numeric, samples=samples))
    return found, headed


def corrected(columns: Sequence[Column], given: Mapping[str, str], what: str = "lead") -> list[Column]:
    """The columns with what somebody says of them: by header, or by number from 1.

    Raises Invalid for a column that is not there and for a target that means nothing.
    """
    wrong: dict[str, str] = {}
    changed: dict[int, str] = {}
    for name, target in given.items():
        places = [i for i, c in enumerate(columns) if c.header.casefold() == name.strip().casefold()]
        if not places and name.isdigit() and 0 < int(name) <= len(columns):
            places = [int(name) - 1]
        if not places:
            wrong[name] = "there is no such column"
        elif not _is_target(target, what):
            wrong[name] = f"'{target[:60]}' is nothing that a column can become"
        changed |= dict.fromkeys(places, target)
    if wrong:
        first, words = next(iter(wrong.items()))
        raise Invalid(f"column '{first[:60]}': {words}", {f"/mapping/{k}": v for k, v in wrong.items()})
    return [c.model_copy(update={"target": changed.get(i, c.target)}) for i, c in enumerate(columns)]


def check(columns: Sequence[Column], what: str = "lead") -> None:
    """Raises Invalid where no column says who somebody is, or what something is called."""
    needed = _NEEDED[what]
    if not needed & {c.target for c in columns}:
        named = ", ".join(f"'{c.header[:40]}'" for c in columns[:8])
        if len(needed) == 1:
            raise Invalid(f"no column is the {next(iter(needed))} of a {what}: there are {named}")
        raise Invalid(f"no column is a name, an e-mail address or a telephone number: there are {named}")


def targets(what: str) -> Sequence[str]:
    """What a column may become where the rows are `what`."""
    return _TARGETS[what]


def _is_target(target: str, what: str) -> bool:
    if what == "product" and _PRICE.fullmatch(target):
        return True
    if target.startswith(FIELD) and what != "product":
        return bool(_PLAIN.fullmatch(target.removeprefix(FIELD)))
    return target in _TARGETS[what] or target == IGNORED


def _target(header: str, values: Sequence[str], taken: set[str], what: str, known: Known) -> str:
    found = _by_header(header, what)
    if found in _WORDS and what == "lead" and not all(_is_word(found, v, known) for v in values):
        found = None  # a state may be one of the United States
    declared = known.fields.get(headers.folded(header.strip()))
    if declared is not None and (found is None or found not in _TARGETS[what]) and declared not in taken:
        return declared
    if (found is None or found == "name") and what != "product":
        # A column of addresses may be headed 'Contact'.
        found = _by_content(header, values) or found
    if found is not None and found != IGNORED and not _is_target(found, what):
        found = None
    if found is not None and (found in ("email", "phone", "tags", "message", IGNORED) or found not in taken):
        return found
    if not values and not header:
        return IGNORED
    return IGNORED if what == "product" else _free(header, taken)


def _is_word(target: str, text: str, known: Known) -> bool:
    own = headers.folded(text.strip()) in known.words.get(target, frozenset())
    return own or (target == "status" and headers.status_of(text) is not None)


def _by_header(header: str, what: str) -> str | None:
    written = header.strip()
    if _is_target(written, what) and written != IGNORED:
        return written
    return headers.meaning_of(what, written)


def _by_content(header: str, values: Sequence[str]) -> str | None:
    if not values:
        return None
    if sum("@" in v and email_address(v) is not None for v in values) >= _ENOUGH * len(values):
        return "email"
    dialled = [v for v in values if _DIALLED.fullmatch(v) and 8 <= sum(c.isdigit() for c in v) <= 15]
    marked = [
        v
        for v in dialled
        if _MARKED.search(v) and not re.match(r"\d{4}-\d\d-\d\d|\d\d?[./-]\d\d?[./-]\d{4}", v)
    ]
    likely = not header or bool(re.search(r"fon|phone|tel|mob|cel|whats", headers.folded(header)))
    enough = marked if not likely else [*marked, *(v for v in dialled if v not in marked)]
    return "phone" if len(enough) >= _ENOUGH * len(values) else None


def _free(header: str, taken: set[str]) -> str:
    name = names.slug(header) or "column"
    if name in _OURS or name in TARGETS:
        name = f"{name}_imported"[:60]
    number, free = 1, f"{FIELD}{name}"
    while free in taken:
        number += 1
        free = f"{FIELD}{name[:56]}_{number}"
    return free


def _is_data(first: Row) -> bool:
    return any("@" in text and email_address(text) is not None for c in first.cells if (text := _text(c)))


def _text(cell: Cell) -> str:
    return ", ".join(cell) if isinstance(cell, list) else "" if cell is None else str(cell).strip()
