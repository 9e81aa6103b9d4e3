"""Custom fields: their values checked, and brought into one form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from core.errors import Invalid
from crm import money
from crm.catalogue import CrmSettings, CustomField, ElementKind
from crm.element import Element
from crm.workspace import WorkspaceSettings
from models.attachment import Attachment
from models.company import Company
from models.contact import Contact
from models.deal import Deal
from models.lead import Lead
from models.user import User

TABLES: Mapping[ElementKind, type[Lead | Contact | Company | Deal]] = {
    "lead": Lead,
    "contact": Contact,
    "company": Company,
    "deal": Deal,
}
_LONGEST = 10_000


def kind_of(element: Element) -> ElementKind:
    """The element's kind, by its name."""
    return next(kind for kind, table in TABLES.items() if isinstance(element, table))


def checked(
    session: Session,
    kind: ElementKind,
    given: Mapping[str, Any],
    *,
    settings: CrmSettings,
    here: WorkspaceSettings,
    complete: bool = False,
) -> dict[str, Any]:
    """The values as they are stored; None takes a value away.

    Where fields are declared for this kind, others are refused; leads, which come from anywhere, may have
    them. `complete` asks for the required ones too. Raises Invalid with a pointer to each mistake.
    """
    declared = settings.fields_of(kind)
    wrong: dict[str, str] = {}
    found: dict[str, Any] = {}
    for key, value in given.items():
        field = declared.get(key)
        if field is None:
            if declared and kind != "lead":
                wrong[f"/fields/{key}"] = f"is no field of a {kind}; there are {', '.join(declared)}"
            found[key] = value
            continue
        try:
            found[key] = None if value in (None, "") else _READERS[field.type](session, field, value, here)
        except Invalid as error:
            wrong[f"/fields/{key}"] = next(iter(error.fields.values()), str(error))
    if complete:
        for key, field in declared.items():
            if field.required and found.get(key) in (None, "", []):
                wrong.setdefault(f"/fields/{key}", "is required")
    if wrong:
        raise Invalid("some values are not acceptable", wrong)
    return found


def merged(before: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The fields after a change."""
    return {k: v for k, v in {**before, **changes}.items() if v is not None}


def missing(element: Element, requires: list[str]) -> dict[str, str]:
    """What of the required is empty, as pointers; custom fields are named `fields.<key>`."""
    found = {}
    for name in requires:
        own, _, custom = name.partition(".")
        value = element.fields.get(custom) if custom else getattr(element, _COLUMNS.get(own, own), None)
        if value in (None, "", []):
            found[f"/{name.replace('.', '/')}"] = "is required here"
    return found


_COLUMNS = {"owner": "owner_id", "contact": "contact_id"}


def _text(session: Session, field: CustomField, value: Any, here: WorkspaceSettings) -> str:
    if not isinstance(value, str):
        raise Invalid("must be text")
    if len(value) > _LONGEST:
        raise Invalid(f"is longer than {_LONGEST} characters")
    return value


def _number(session: Session, field: CustomField, value: Any, here: WorkspaceSettings) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Invalid("must be a number")
    return value


def _money(session: Session, field: CustomField, value: Any, here: WorkspaceSettings) -> str:
    written, _, currency = str(value).strip().partition(" ")
    if isinstance(value, bool) or not (currency == "" or (len(currency) == 3 and currency.isupper())):
        raise Invalid("must be an amount, such as 12.50 or 12.50 EUR")
    try:
        amount = Decimal(written)
    except InvalidOperation:
        raise Invalid("must be an amount, such as 12.50 or 12.50 EUR") from None
    return f"{money.exact(amount, field='amount'):f} {currency or here.currency}"


def _date(session: Session, field: CustomField, value: Any, here: WorkspaceSettings) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        raise Invalid("must be a day, such as 2026-01-31") from None


def _moment(session: Session, field: CustomField, value: Any, here: WorkspaceSettings) -> str:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise Invalid("must be a moment, such as 2026-01-31T09:00:00Z") from None
    if moment.tzinfo is None:
        raise Invalid("must say its time zone, such as 2026-01-31T09:00:00Z")
    return moment.astimezone(UTC).isoformat()


def _choice(session: Session, field: CustomField, value: Any, here: WorkspaceSettings) -> str:
    if value not in field.choices:
        raise Invalid(f"must be one of {', '.join(field.choices[:20])}")
    return str(value)


def _choices(session: Session, field: CustomField, value: Any, here: WorkspaceSettings) -> list[str]:
    if not isinstance(value, list):
        raise Invalid("must be a list")
    return list(dict.fromkeys(_choice(session, field, item, here) for item in value))


def _flag(session: Session, field: CustomField, value: Any, here: WorkspaceSettings) -> bool:
    if not isinstance(value, bool):
        raise Invalid("must be true or false")
    return value


def _link(session: Session, field: CustomField, value: Any, here: WorkspaceSettings) -> str:
    parts = urlsplit(value) if isinstance(value, str) and len(value) <= 2000 else None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise Invalid("must be an http or https address")
    return str(value)


def _row(session: Session, table: type[Any], value: Any, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or session.get(table, value) is None:
        raise Invalid(f"must be the id of a {what} that there is")
    return value


def _file(session: Session, field: CustomField, value: Any, here: WorkspaceSettings) -> int:
    return _row(session, Attachment, value, "file")


def _reference(session: Session, field: CustomField, value: Any, here: WorkspaceSettings) -> int:
    return _row(session, TABLES[field.to or "contact"], value, field.to or "contact")


def _user(session: Session, field: CustomField, value: Any, here: WorkspaceSettings) -> str:
    word = str(value).strip().lower()
    named = or_(func.lower(User.email) == word, func.lower(User.name) == word)
    found = session.scalars(select(User.email).where(named).limit(2)).all()
    exact = next((email for email in found if email.lower() == word), None)
    if exact is None and len(found) != 1:
        raise Invalid("must be the address of a user")
    return exact or found[0]


_READERS: Mapping[str, Callable[[Session, CustomField, Any, WorkspaceSettings], Any]] = {
    "text": _text,
    "number": _number,
    "money": _money,
    "date": _date,
    "datetime": _moment,
    "choice": _choice,
    "choices": _choices,
    "flag": _flag,
    "link": _link,
    "file": _file,
    "user": _user,
    "reference": _reference,
}
