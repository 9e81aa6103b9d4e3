"""Rows as companies: known by their domain, else by their name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from core.errors import Invalid
from crm import companies, similar_names
from crm.entry import Entry
from crm.imported.kind import Kind, named
from models.company import Company


class CompanyKind(Kind):
    """A company."""

    element = "company"
    table = Company

    def keys(self, entry: Entry) -> Sequence[str]:
        """Its domain and its name without what kind of company it is."""
        return [k for k in (_domain(entry), similar_names.firm(entry.own.get("name", ""))) if k]

    def find(self, entry: Entry) -> Company | None:
        """The company of this domain or name."""
        return self.firms.find(entry.own.get("name", ""), _domain(entry))

    def look_up(self, entries: Sequence[Entry]) -> None:
        """Their domains."""
        self.firms.look_up(domain for entry in entries if (domain := _domain(entry)))

    def values(self, entry: Entry) -> dict[str, Any]:
        """Columns."""
        found = named(entry, "name", "street", "city", "region", "postal_code", "country")
        if "country" in found:
            found["country"] = found["country"].strip().upper()
            if len(found["country"]) != 2 or not found["country"].isalpha():
                words = f"'{found['country'][:60]}' is no country of two letters, such as BR"
                raise Invalid("some values are not acceptable", {"/country": words})
        if domain := _domain(entry):
            found["domain"] = domain
        for name, values in (("email", entry.emails), ("phone", entry.phones)):
            if values:
                found[name] = values[0]
        return found | {"fields": self.custom_fields(entry)}

    def make(self, entry: Entry, values: dict[str, Any], *, actor: str) -> Company:
        """Makes it."""
        made = companies.create(self.session, actor=actor, **values)
        self.firms.made(made)
        return made

    def change(self, thing: Company, values: Mapping[str, Any], *, actor: str) -> dict[str, Any]:
        """As others are, and it may be called otherwise then."""
        before = super().change(thing, values, actor=actor)
        if {"name", "domain"} & before.keys():
            self.firms.forget()
        return before


def _domain(entry: Entry) -> str | None:
    written = entry.own.get("domain", "").strip().lower()
    found = urlsplit(written if "//" in written else f"//{written}").netloc.removeprefix("www.")
    return found[:253] or None
