"""Rows as contacts: known by their addresses and numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from crm import companies, contacts, identity
from crm.contact_points import Point
from crm.entry import Entry
from crm.imported.kind import Beside, Kind, Made, New, Thing, named
from crm.importing import points_of
from models.contact import Contact
from models.contact_point import ContactPoint, Person
from models.lead import Lead


class ContactKind(Kind):
    """A contact; the company it names is the one of this name, or a new one."""

    element = "contact"
    table = Contact
    together = True

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        #: Points that are known to be nobody's.
        self._free: set[Point] = set()

    def look_up(self, entries: Sequence[Entry]) -> None:
        """Which of their addresses and numbers are nobody's."""
        asked = {point for entry in entries for point in points_of(entry)}
        self._free = asked - identity.known(self.session, list(asked))

    def keys(self, entry: Entry) -> Sequence[Point]:
        """Its addresses and numbers."""
        return points_of(entry)

    def find(self, entry: Entry) -> Contact | None:
        """The contact of the person whose address or number it is."""
        points = points_of(entry)
        if self._free.issuperset(points):
            return None
        person_id = identity.find(self.session, points)
        return contacts.of_person(self.session, person_id) if person_id is not None else None

    def values(self, entry: Entry) -> dict[str, Any]:
        """Columns, and the company by its name."""
        found = named(entry, "position", "company") | {"fields": self.custom_fields(entry)}
        if entry.name:
            found["name"] = entry.name
        return found

    def make(self, entry: Entry, values: dict[str, Any], *, actor: str) -> Contact:
        """Makes it; without a name it is called as it is written to. Raises Conflict where it is there."""
        points = set(points_of(entry))
        new = points if self._free.issuperset(points) else points - identity.known(self.session, [*points])
        given = self._given(entry, values, actor)
        made = contacts.create(self.session, actor=actor, emails=entry.emails, phones=entry.phones, **given)
        if new != points:
            found = [p.id for p in contacts.points(self.session, made) if (p.kind, p.value) in new]
            self.made_beside |= {Beside.POINT: found} if found else {}
        return made

    def make_all(self, wanted: Sequence[New], *, actor: str) -> list[Made]:
        """Those of people whom nobody knows yet in a few statements."""
        if not all(self._free.issuperset(points_of(entry)) for entry, _ in wanted):
            return super().make_all(wanted, actor=actor)
        people = identity.new_people(self.session, [points_of(entry) for entry, _ in wanted])
        made = []
        for person_id, (entry, values) in zip(people, wanted, strict=True):
            self.made_beside = {}
            given = self._given(entry, values, actor)
            given |= {"email": next(iter(entry.emails), None), "phone": next(iter(entry.phones), None)}
            made.append(Made(contacts.row(person_id, **given), self.made_beside))
        contacts.make_all(self.session, [one.thing for one in made], actor=actor)
        return made

    def _given(self, entry: Entry, values: dict[str, Any], actor: str) -> dict[str, Any]:
        given = self._placed(values, actor)
        given.setdefault("name", next(iter([*entry.emails, *entry.phones]), ""))
        self._free.difference_update(points_of(entry))
        return given | named(entry, "first_name", "last_name")

    def change(self, thing: Contact, values: Mapping[str, Any], *, actor: str) -> dict[str, Any]:
        """Its own function keeps name and parts together."""
        given = self._placed(dict(values), actor)
        before = {"first_name": thing.first_name, "last_name": thing.last_name}
        changed = contacts.change(self.session, thing, given, actor=actor)
        return before | changed if "name" in changed else changed

    def remove(self, thing: Thing) -> None:
        """The contact, and its person where nobody else needs them."""
        assert isinstance(thing, Contact)  # noqa: S101  what else this kind has made
        person_id = thing.person_id
        super().remove(thing)
        if self.session.scalar(select(Lead.id).where(Lead.person_id == person_id).limit(1)) is None:
            self.session.execute(delete(ContactPoint).where(ContactPoint.person_id == person_id))
            self.session.execute(delete(Person).where(Person.id == person_id))

    def _placed(self, values: dict[str, Any], actor: str) -> dict[str, Any]:
        name = values.pop("company", None)
        if name:
            company = self.firms.find(name)
            if company is None:
                company = companies.create(self.session, name=name[:300], actor=actor)
                self.firms.made(company)
                self.made_beside[Beside.COMPANY] = [company.id]
            values["company_id"] = company.id
        return values
