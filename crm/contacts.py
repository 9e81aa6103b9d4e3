"""Contacts: made, changed, and the addresses and numbers by which they are known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core import clock
from core.errors import Conflict
from core.rows import insert_together
from crm import changes, fields, timeline
from crm.contact_points import Point, email_point, phone_point
from crm.identity import identify
from models.contact import Contact
from models.contact_point import ContactPoint, Person, PointKind


def of_person(session: Session, person_id: int) -> Contact | None:
    """The person's contact, where there is one."""
    return session.scalars(select(Contact).where(Contact.person_id == person_id)).one_or_none()


def held(session: Session, person_id: int) -> Contact | None:
    """The person's contact; two who would make one at once do so one after the other."""
    # Without the key: who only refers to the person (a foreign key) need not wait.
    session.execute(select(Person.id).where(Person.id == person_id).with_for_update(key_share=True))
    return of_person(session, person_id)


def create(
    session: Session,
    *,
    name: str,
    actor: str,
    emails: Sequence[str] = (),
    phones: Sequence[str] = (),
    **values: Any,
) -> Contact:
    """Makes a contact. `emails` are normalised addresses, `phones` numbers in E.164; `values` are columns.

    Raises Conflict where an address shows that there is a contact of this person already.
    """
    who = identify(session, [*map(email_point, emails), *map(phone_point, phones)])
    there = held(session, who.person_id) if who.known else None
    if there is not None:
        raise Conflict(f"this is contact {there.id} already: {there.name}")
    return make(
        session,
        who.person_id,
        name=name,
        actor=actor,
        email=next(iter(emails), None),
        phone=next(iter(phones), None),
        **values,
    )


def make(session: Session, person_id: int, *, name: str, actor: str, **values: Any) -> Contact:
    """Makes the contact of a person who has none."""
    contact = row(person_id, name=name, **values)
    session.add(contact)
    session.flush()
    _tell(session, contact, actor)
    return contact


def make_all(session: Session, rows: Sequence[Contact], *, actor: str) -> None:
    """The same of many at once, each as `row` gives it."""
    for contact in insert_together(session, rows):
        _tell(session, contact, actor)


def row(person_id: int, *, name: str, **values: Any) -> Contact:
    """A new contact, in no session yet; `values` are columns."""
    now = clock.now()
    first, last = split(name)
    given: dict[str, Any] = {"first_name": first, "last_name": last}
    given |= {k: v for k, v in values.items() if k not in ("first_name", "last_name") or v}
    given["fields"] = fields.merged({}, given.get("fields") or {})
    return Contact(person_id=person_id, name=name, created_at=now, updated_at=now, **{"tags": [], **given})


def _tell(session: Session, contact: Contact, actor: str) -> None:
    timeline.record(
        session, contact, kind="contact_created", summary=f"Contact made: {contact.name}", actor=actor
    )


def split(name: str) -> tuple[str, str]:
    """A name's first word, and the others."""
    first, _, rest = " ".join(name.split()).partition(" ")
    return first, rest


def change(session: Session, contact: Contact, values: Mapping[str, Any], *, actor: str) -> dict[str, Any]:
    """Changes columns by name; answers with what stood before. `name` follows its parts, and they it."""
    given = dict(values)
    if "name" in given and not {"first_name", "last_name"} & given.keys():
        given["first_name"], given["last_name"] = split(given["name"])
    elif {"first_name", "last_name"} & given.keys() and "name" not in given:
        parts = (given.get("first_name", contact.first_name), given.get("last_name", contact.last_name))
        given["name"] = " ".join(p for p in parts if p) or contact.name
    return changes.change(session, contact, given, actor=actor)


def points(session: Session, contact: Contact) -> Sequence[ContactPoint]:
    """All addresses and numbers of the contact."""
    chosen = select(ContactPoint).where(ContactPoint.person_id == contact.person_id)
    return session.scalars(chosen.order_by(ContactPoint.id)).all()


def set_points(
    session: Session, contact: Contact, kind: PointKind, values: Sequence[str], *, actor: str
) -> None:
    """Makes these the contact's addresses, or its numbers; the first is the one that is shown.

    Raises Conflict where one of them is somebody else's.
    """
    point = email_point if kind is PointKind.EMAIL else phone_point
    wanted: list[Point] = [point(value) for value in values]
    stands = {(p.kind, p.value): p for p in points(session, contact) if p.kind is kind}
    for one in dict.fromkeys(wanted):
        if one not in stands:
            _take(session, contact, one)
    gone = [p.id for key, p in stands.items() if key not in wanted]
    session.execute(delete(ContactPoint).where(ContactPoint.id.in_(gone)))
    if contact.person is not None:
        session.expire(contact.person, ["points"])
    changes.change(session, contact, {kind.value: next(iter(values), None)}, actor=actor)


def _take(session: Session, contact: Contact, point: Point) -> None:
    owner = session.scalars(
        select(ContactPoint).where(ContactPoint.kind == point[0], ContactPoint.value == point[1])
    ).one_or_none()
    if owner is None:
        assert contact.person_id is not None  # noqa: S101  only a merged contact has none
        session.add(ContactPoint(kind=point[0], value=point[1], person_id=contact.person_id))
        session.flush()
        return
    other = of_person(session, owner.person_id)
    whose = f"contact {other.id}'s" if other else "another person's"
    raise Conflict(f"{point[1]} is {whose}")


def named(contacts: Iterable[Contact]) -> str:
    """Contacts in words."""
    return ", ".join(f"{c.name} ({c.id})" for c in contacts)
