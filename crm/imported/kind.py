"""What each kind of thing that a file may bring in has to say of itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy.orm import Session

from core.errors import Invalid
from crm import catalogue, changes, deletion, fields, sections, workspace
from crm.catalogue import ElementKind
from crm.entry import Entry
from crm.happening import Happening
from crm.imported import field
from crm.imported.firms import Firms
from crm.written import Custom
from models.company import Company
from models.contact import Contact
from models.deal import Deal
from models.product import Product
from models.workspace import WorkspaceRow

Thing = Contact | Company | Deal | Product


#: A row of something that is not there yet, and its values.
New = tuple[Entry, dict[str, Any]]


class Beside(StrEnum):
    """What is made beside what a row says, and under which word the row keeps their numbers."""

    COMPANY = "companies_made"
    SECTION = "sections_made"
    POINT = "points_made"  # contact points of a person who was there before


@dataclass(frozen=True, slots=True)
class Made:
    """What was made of a row, and the numbers of what was made for it."""

    thing: Any
    beside: Mapping[Beside, list[int]]


class Kind(ABC):
    """One kind, in one transaction. Values are columns, as the kind's own functions take them."""

    element: ClassVar[ElementKind | None] = None
    table: ClassVar[type[Thing]]
    #: Whether rows that follow each other are made at once, where no later one is about what an earlier made.
    together: ClassVar[bool] = False

    def __init__(self, session: Session) -> None:
        self.session = session
        # As long as it is held here, nobody reads it again.
        self._row = session.get(WorkspaceRow, 1)
        self.here = workspace.load(session)
        self.settings = catalogue.load(session)
        self.custom = Custom.of(self.here.zone, locale=self.here.locale, country=self.here.country)
        self.firms = Firms(session)
        #: Numbers of what rows had made for them, and what rules are told of a change, since the last row.
        self.made_beside: dict[Beside, list[int]] = {}
        self.moved: list[Happening] = []
        #: Keys of rows that a preview has seen, which an import would have brought in by now.
        self.foreseen: set[Hashable] = set()

    def look_up(self, entries: Sequence[Entry]) -> None:  # noqa: B027  not each kind needs to
        """Reads in one go what `find` will ask for of each of these."""

    @abstractmethod
    def keys(self, entry: Entry) -> Sequence[Hashable]:
        """By what another row about the same thing is known."""

    @abstractmethod
    def find(self, entry: Entry) -> Thing | None:
        """What is there already, and stands."""

    @abstractmethod
    def values(self, entry: Entry) -> dict[str, Any]:
        """What the row sets. Raises Invalid, with a pointer to each mistake."""

    def make(self, entry: Entry, values: dict[str, Any], *, actor: str) -> Thing:
        """Makes a new one."""
        raise NotImplementedError

    def make_all(self, wanted: Sequence[New], *, actor: str) -> list[Made]:
        """Makes a new one of each, in their order."""
        made = []
        for entry, values in wanted:
            self.made_beside = {}
            made.append(Made(self.make(entry, values, actor=actor), self.made_beside))
        return made

    def change(self, thing: Any, values: Mapping[str, Any], *, actor: str) -> dict[str, Any]:
        """Sets the values; answers with what stood before of what has changed."""
        return changes.change(self.session, thing, values, actor=actor)

    def happenings(self, thing: Any) -> list[Happening]:
        """What rules and the feed are told of a new one."""
        return []

    def remove(self, thing: Any) -> None:
        """Takes away what the import made. Raises Conflict where something hangs on it."""
        deletion.delete(self.session, thing)

    def restore(self, thing: Any, before: Mapping[str, Any], *, actor: str) -> None:
        """Gives it its former values, as `change` has told them, in JSON. Raises Invalid where that cannot be
        any more."""
        restored(self.session, thing, before)

    def check(self, entry: Entry) -> dict[str, Any]:
        """The row's values; what is wrong with them is a problem of the row."""
        if entry.problems:
            return {}
        try:
            return self.values(entry)
        except Invalid as error:
            entry.problems += [f"{name.lstrip('/')}: {words}" for name, words in error.fields.items()]
            if not error.fields:
                entry.problems.append(str(error))
            return {}

    def custom_fields(self, entry: Entry) -> dict[str, Any]:
        """The custom fields, as they are stored."""
        if self.element is None or not entry.fields:
            return {}
        declared = self.settings.fields_of(self.element)
        given: dict[str, Any] = {}
        wrong: dict[str, str] = {}
        for key, value in entry.fields.items():
            try:
                given[key] = field.read(declared.get(key), value, self.custom)
            except Invalid as error:
                wrong |= error.fields
        if wrong:
            raise Invalid("some values are not acceptable", wrong)
        return fields.checked(self.session, self.element, given, settings=self.settings, here=self.here)


def named(entry: Entry, *names: str) -> dict[str, Any]:
    """The texts that the row has under these names."""
    return {name: entry.own[name] for name in names if entry.own.get(name)}


def restored(session: Session, thing: Any, before: Mapping[str, Any]) -> None:
    """Gives columns and custom fields their former values, as `changes.change` tells them in JSON."""
    for name, value in before.items():
        if name.startswith("fields."):
            thing.fields = fields.merged(thing.fields, {name.removeprefix("fields."): value})
        elif name == "section":
            for column, was in sections.columns(session, value).items():
                setattr(thing, column, was)
        else:
            read = _READ.get(name)
            setattr(thing, name, read(value) if read is not None and value is not None else value)
    session.flush()


# What JSON cannot say as it is.
_READ: Mapping[str, Callable[[str], Any]] = {
    "updated_at": datetime.fromisoformat,
    "expected_close": date.fromisoformat,
    "amount": Decimal,
    "tax_rate": Decimal,
}
