"""Rows as products: known by their number in stock, else by their name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select

from core.errors import Invalid
from crm import changes, money, products, sections
from crm.entry import Entry
from crm.imported.kind import Beside, Kind, Thing, named
from crm.written import decimal, flag
from models.product import Product


class ProductKind(Kind):
    """A product or a variant of one; `price` is in the workspace's currency, `price.EUR` in another."""

    table = Product

    def keys(self, entry: Entry) -> Sequence[str]:
        """Its number, else its name."""
        return [entry.own.get("sku") or entry.own.get("name", "").casefold()]

    def find(self, entry: Entry) -> Product | None:
        """The product of this number; without one that of this name that has none either."""
        if sku := entry.own.get("sku"):
            return self._numbered(sku)
        name = func.lower(Product.name) == entry.own.get("name", "").casefold()
        chosen = select(Product).where(name, Product.sku.is_(None)).order_by(Product.id).limit(1)
        return self.session.scalars(chosen).first()

    def values(self, entry: Entry) -> dict[str, Any]:
        """Columns."""
        found: dict[str, Any] = named(entry, "name", "sku", "section", "description", "unit")
        wrong = {f"/{n}": "is too long" for n, most in _MOST.items() if len(found.get(n, "")) > most}
        if "section" in found:
            try:
                found["section"] = sections.path_of(found["section"])
            except ValueError as error:
                wrong["/section"] = str(error)
        prices = {}
        for name, written in entry.own.items():
            own, _, code = name.partition(".")
            if own == "price":
                code = code or self.here.currency
                price = money.exact(decimal(written, f"/{name}"), field=f"/{name}")
                if self.settings.currency(code, self.here) is None:
                    wrong[f"/{name}"] = f"{code} is none of the workspace's currencies"
                elif price < 0:
                    wrong[f"/{name}"] = "is no price"
                prices[code] = price
        if rate := entry.own.get("tax_rate"):
            found["tax_rate"] = money.exact(decimal(rate.rstrip(" %"), "/tax_rate"), field="/tax_rate")
            if not 0 <= found["tax_rate"] <= 1000:
                wrong["/tax_rate"] = "is no rate in per cent"
        for name in ("tax_included", "active"):
            if word := entry.own.get(name):
                found[name] = flag(word, f"/{name}")
        if sku := entry.own.get("variant_of"):
            parent = self._numbered(sku)
            if parent is None and sku in self.foreseen:
                return found  # a preview: the row above will have made it
            if parent is None or parent.parent_id is not None or sku == found.get("sku"):
                wrong["/variant_of"] = f"'{sku[:60]}' is no product that can have variants"
            else:
                found["parent_id"] = parent.id
        if wrong:
            raise Invalid("some values are not acceptable", wrong)
        return found | ({"prices": prices} if prices else {})

    def make(self, entry: Entry, values: dict[str, Any], *, actor: str) -> Product:
        """Makes it. Raises Conflict where its number is taken."""
        self._sections(values)
        return products.create(self.session, values)

    def change(self, thing: Product, values: Mapping[str, Any], *, actor: str) -> dict[str, Any]:
        """Prices of other currencies than the file's stay."""
        self._sections(values)
        given = dict(values)
        if "prices" in given:
            kept = {code: Decimal(price) for code, price in thing.prices.items()}
            given["prices"] = {**kept, **given["prices"]}
        was = changes.plain(thing.updated_at)
        before = products.change(self.session, thing, given)
        before.pop("section_id", None)  # its path says it
        return before | {"updated_at": was} if before else before

    def remove(self, thing: Thing) -> None:
        """Raises Conflict where it is on a deal, or has variants."""
        assert isinstance(thing, Product)  # noqa: S101  what else this kind has made
        products.delete(self.session, thing)

    def _sections(self, values: Mapping[str, Any]) -> None:
        if path := values.get("section"):
            made = sections.ensure(self.session, path)[1]
            self.made_beside |= {Beside.SECTION: made} if made else {}

    def _numbered(self, sku: str) -> Product | None:
        return self.session.scalars(select(Product).where(Product.sku == sku)).one_or_none()


_MOST = {"name": 500, "sku": 100, "unit": 100}
