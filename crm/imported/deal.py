"""Rows as deals: known by their number, else by their title and whom they are with."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.errors import Invalid
from crm import deals, identity, pipelines
from crm.contact_points import Point
from crm.entry import Entry
from crm.happening import Happening
from crm.imported.kind import Kind, named
from crm.importing import points_of
from crm.written import day, decimal
from models.contact import Contact
from models.contact_point import PointKind
from models.deal import Deal
from models.pipeline import Pipeline

#: Pipeline, stage and closing reason that a deal had.
_STAGE = "stage"


class DealKind(Kind):
    """A deal; its contact and company are those that are there already."""

    element = "deal"
    table = Deal

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._pipelines = pipelines.ensure(session)
        #: Whose a point is, None where nobody's, and the contacts of those people.
        self._owners: dict[Point, int | None] = {}
        self._contacts: dict[int, Contact] = {}

    def look_up(self, entries: Sequence[Entry]) -> None:
        """Whom their addresses and numbers belong to."""
        points = sorted({point for entry in entries for point in points_of(entry)})
        found = identity.owners(self.session, points)
        self._owners |= {point: found.get(point) for point in points}
        people = select(Contact).where(Contact.person_id.in_(set(found.values())))
        self._contacts |= {c.person_id: c for c in self.session.scalars(people) if c.person_id is not None}

    def keys(self, entry: Entry) -> Sequence[Hashable]:
        """Its number, and its title with whom it is with."""
        title = entry.own.get("title", "").casefold()
        with_whom = [*entry.emails, *([entry.own["company"].casefold()] if entry.own.get("company") else [])]
        number = entry.own.get("number")
        return [*([("number", number)] if number else []), *((title, who) for who in with_whom)]

    def find(self, entry: Entry) -> Deal | None:
        """The deal of this number; without one that of this title with this contact or company."""
        if number := entry.own.get("number"):
            chosen = select(Deal).where(Deal.number == number).order_by(Deal.id.desc()).limit(1)
            return self.session.scalars(chosen).first()
        contact, company = self._contact(entry), self.firms.find(entry.own.get("company") or "")
        if contact is None and company is None:
            return None
        title = entry.own.get("title", "").casefold()
        chosen = select(Deal).where(func.lower(Deal.title) == title)
        if contact is not None:
            chosen = chosen.where(Deal.contact_id == contact.id)
        if company is not None:
            chosen = chosen.where(Deal.company_id == company.id)
        return self.session.scalars(chosen.order_by(Deal.id.desc()).limit(1)).first()

    def values(self, entry: Entry) -> dict[str, Any]:
        """What `deals.create` takes."""
        found: dict[str, Any] = named(entry, "title", "pipeline", "stage", "reason", "currency")
        # A stage of which no pipeline is said is one of the deal's own.
        there = self.find(entry) if "stage" in found and "pipeline" not in found else None
        line = there.pipeline if there is not None else self._pipeline(found)
        if "stage" in found:
            wanted = found["stage"].casefold()
            spoken = (s.key for s in line.stages if s.active and wanted in (s.key, s.name.casefold()))
            found["stage"] = pipelines.stage(line, next(spoken, wanted)).key
        if "currency" in found:
            found["currency"] = found["currency"].upper()
            if self.settings.currency(found["currency"], self.here) is None:
                raise Invalid("some values are not acceptable", {"/currency": "is none of the workspace's"})
        if written := entry.own.get("amount"):
            found["amount"] = decimal(written, "/amount")
        if written := entry.own.get("expected_close"):
            found["expected_close"] = day(written, self.custom)
            if found["expected_close"] is None:
                words = f"'{written[:60]}' is no day: write 2026-01-31"
                raise Invalid("some values are not acceptable", {"/expected_close": words})
        if entry.own.get("company"):
            company = self.firms.find(entry.own["company"])
            if company is None:
                words = f"there is no company '{entry.own['company'][:60]}': bring companies in first"
                raise Invalid("some values are not acceptable", {"/company": words})
            found["company_id"] = company.id
        if entry.emails:
            contact = self._contact(entry)
            if contact is None:
                words = f"there is no contact {entry.emails[0]}: bring contacts in first"
                raise Invalid("some values are not acceptable", {"/email": words})
            found["contact"] = contact
        return found | {"custom": self.custom_fields(entry)}

    def make(self, entry: Entry, values: dict[str, Any], *, actor: str) -> Deal:
        """Makes it, in its stage."""
        return deals.create(self.session, actor=actor, **{**values, "pipeline": self._pipeline(values)})

    def change(self, thing: Deal, values: Mapping[str, Any], *, actor: str) -> dict[str, Any]:
        """Columns, and its stage as a person moves it: with its history, and rules are told."""
        given = {
            k: v for k, v in values.items() if k not in ("pipeline", "stage", "reason", "contact", "custom")
        }
        if (contact := values.get("contact")) is not None:
            given["contact_id"] = contact.id
        stood = [thing.pipeline.key, thing.stage.key, thing.closing_reason]
        before = deals.change(self.session, thing, given | {"fields": values["custom"]}, actor=actor)
        if "stage" in values or "pipeline" in values:
            self.moved = deals.change_stage(
                self.session,
                thing,
                values.get("stage"),
                actor=actor,
                pipeline=values.get("pipeline"),
                reason=values.get("reason"),
            )
            before |= {_STAGE: stood} if self.moved else {}
        return before

    def restore(self, thing: Deal, before: Mapping[str, Any], *, actor: str) -> None:
        """Its stage too, as it is moved back by hand."""
        if (stood := before.get(_STAGE)) is not None:
            pipeline, stage, reason = stood
            deals.change_stage(
                self.session,
                thing,
                stage,
                actor=actor,
                pipeline=pipeline,
                reason=reason,
                note="import taken back",
            )
        super().restore(thing, {k: v for k, v in before.items() if k != _STAGE}, actor=actor)

    def happenings(self, thing: Deal) -> list[Happening]:
        """As a deal made by hand."""
        return deals.told(thing, "deal.created", {})

    def _pipeline(self, values: Mapping[str, Any]) -> Pipeline:
        return pipelines.choose(self._pipelines, values.get("pipeline"))

    def _contact(self, entry: Entry) -> Contact | None:
        if not entry.emails:
            return None
        points = sorted(set(points_of(entry)))
        if not self._owners.keys() >= set(points):
            self.look_up([entry])
        owners = [self._owners[p] for p in points]
        if all(owner is None for owner in owners):
            return None
        by_address = (o for o, (kind, _) in zip(owners, points, strict=True) if kind is PointKind.EMAIL and o)
        person_id = next(by_address, None) or identity.find(self.session, points)
        return self._contacts.get(person_id) if person_id is not None else None
