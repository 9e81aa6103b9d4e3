"""What a merged element says: field by field the survivor's value, or the other's. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar, cast

from core.errors import Invalid
from models.company import Company
from models.contact import Contact
from models.lead import Lead

Choice = Literal["survivor", "other", "both"]
E = TypeVar("E", bound=Lead | Contact | Company)

#: What can be chosen, by kind, and the columns that belong together.
FIELDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "lead": {
        "title": ("title",),
        "status": ("status", "own_status", "closed_at", "closing_reason"),
        "name": ("name",),
        "email": ("email",),
        "phone": ("phone",),
        "company": ("company",),
        "message": ("message",),
        "score": ("score",),
        "owner": ("owner_id", "given_at"),
        "source": ("source_id", "channel"),
        "consent": ("consent",),
        "contact_id": ("contact_id",),
        "company_id": ("company_id",),
        "first_response_at": ("first_response_at",),
    },
    "contact": {
        "name": ("name", "first_name", "last_name"),
        "position": ("position",),
        "email": ("email",),
        "phone": ("phone",),
        "company_id": ("company_id",),
        "owner": ("owner_id",),
        "source": ("source_id",),
        "consent": ("consent",),
    },
    "company": {
        **{name: (name,) for name in ("name", "domain", "email", "phone")},
        **{name: (name,) for name in ("street", "city", "region", "postal_code", "country")},
        "owner": ("owner_id",),
        "source": ("source_id",),
    },
}
#: Which hold values by name; each of those is chosen as `fields.<name>`.
_BY_NAME = ("fields", "attribution", "found")
_LISTS = ("tags",)
_NONE = object()


def checked(kind: str, choose: Mapping[str, str]) -> dict[str, Choice]:
    """The choices, if each names a field and says whose. Raises Invalid with a pointer to each mistake."""
    wrong = {}
    for name, whose in choose.items():
        if name not in (*FIELDS[kind], *_LISTS) and not (name.startswith("fields.") and name != "fields."):
            wrong[f"/choose/{name}"] = (
                f"is no field; there are {', '.join((*FIELDS[kind], 'tags', 'fields.…'))}"
            )
        elif whose not in ("survivor", "other") and not (whose == "both" and name in _LISTS):
            wrong[f"/choose/{name}"] = "is neither 'survivor' nor 'other'" + (
                " nor 'both'" if name in _LISTS else ""
            )
    if wrong:
        raise Invalid("some values are not acceptable", wrong)
    return cast("dict[str, Choice]", dict(choose))


def united(kind: str, survivor: E, other: E, choose: Mapping[str, Choice]) -> dict[str, Any]:
    """The survivor's columns as they are to be, those that change.

    Where nothing is chosen, what is empty is filled from the other, and of tags there are both's.
    """
    found: dict[str, Any] = {}
    for name, columns in FIELDS[kind].items():
        theirs = choose.get(name) == "other" or (name not in choose and _empty(getattr(survivor, columns[0])))
        if theirs:
            found |= {column: getattr(other, column) for column in columns}
    if "consent" not in choose and survivor.__tablename__ != "company":
        found["consent"] = _agreed(cast("Lead | Contact", survivor), cast("Lead | Contact", other))
    for column in _BY_NAME:
        if hasattr(survivor, column):
            found[column] = _by_name(column, getattr(survivor, column), getattr(other, column), choose)
    for column in _LISTS:
        mine, its = getattr(survivor, column), getattr(other, column)
        both = [*mine, *(t for t in its if t not in mine)]
        found[column] = {"survivor": mine, "other": its, "both": both}[choose.get(column, "both")]
    changed = {column for column, value in found.items() if value != getattr(survivor, column)}
    together = [c for columns in FIELDS[kind].values() if changed.intersection(columns) for c in columns]
    return {column: value for column, value in found.items() if column in changed or column in together}


def undone(kind: str, told: Mapping[str, Sequence[Any]], now: Mapping[str, Any]) -> dict[str, Any]:
    """What stands in the columns, as if it had not been merged: what was changed since stays as it is.

    `told` is `[before, after]` by column, `now` what stands there, all as JSON knows it.
    """
    groups = {column: columns for columns in FIELDS[kind].values() for column in columns}
    back = {}
    for name, (before, after) in told.items():
        together = [c for c in groups.get(name, (name,)) if c in told and c in now]
        if len(together) > 1 and any(now[c] != told[c][1] for c in together):
            continue
        back[name] = _undone(before, after, now[name])
    return back


def _undone(before: Any, after: Any, now: Any) -> Any:
    if now == after:
        return before
    if isinstance(before, list) and isinstance(after, list) and isinstance(now, list):
        kept = [item for item in now if item in before or item not in after]
        return [*kept, *(item for item in before if item not in after and item not in kept)]
    if isinstance(before, dict) and isinstance(after, dict) and isinstance(now, dict):
        names = dict.fromkeys([*before, *now])
        values = {n: _undone(before.get(n, _NONE), after.get(n, _NONE), now.get(n, _NONE)) for n in names}
        return {n: value for n, value in values.items() if value is not _NONE}
    return now


def _empty(value: Any) -> bool:
    return value is None or value == ""


def _agreed(mine: Lead | Contact, its: Lead | Contact) -> bool | None:
    return its.consent if mine.consent is None else mine.consent or bool(its.consent)


def _by_name(
    column: str, mine: dict[str, Any] | None, its: dict[str, Any] | None, choose: Mapping[str, Choice]
) -> dict[str, Any] | None:
    if column == "attribution":
        return mine or its
    if column == "found":
        return {**its, **(mine or {})} if its else mine
    made = {**(its or {}), **{k: v for k, v in (mine or {}).items() if not _empty(v) or k not in (its or {})}}
    for name, whose in choose.items():
        key = name.partition(".")[2]
        if name.startswith("fields.") and key:
            chosen = (its if whose == "other" else mine) or {}
            made.pop(key, None)
            made |= {key: chosen[key]} if key in chosen else {}
    return made
