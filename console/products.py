"""The catalogue: products by section, found, made, changed, switched off, with their pictures."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from flask import g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from console import auth, leads, problems
from core import db, storage
from core.errors import Conflict, Invalid, NotAllowed, NotFound
from crm import catalogue, products, sections
from crm.written import decimal
from intake import download, product_images
from models.product import Product
from models.user import Role

#: A page that hands in a picture, in bytes.
MOST_BYTES = product_images.LARGEST + 64 * 1024
_ON_A_PAGE = 100
_TEXTS = {"name": 200, "sku": 100, "section": 700, "unit": 100, "description": 10_000}


def all_products() -> ResponseReturnValue:
    """The products that fit, by section and name; those that are switched off where they are asked for."""
    asked = {name: _line(request.args.get(name, ""), 200) for name in ("q", "section", "active")}
    page = leads.number(request.args.get("page")) or 1
    chosen = products.chosen(
        q=asked["q"] or None,
        section=asked["section"] or None,
        active={"no": False, "all": None}.get(asked["active"], True),
    )
    ordered = chosen.options(joinedload(Product.parent))
    ordered = ordered.order_by(Product.section, Product.name, Product.id)
    with db.reading() as session:
        found = session.scalar(select(func.count()).select_from(chosen.subquery())) or 0
        start = (page - 1) * _ON_A_PAGE
        rows = session.scalars(ordered.offset(start).limit(_ON_A_PAGE)).all() if start < found else []
        tree = sections.tree(session)
        return render_template(
            "console/products.html",
            rows=rows,
            found=found,
            asked=asked,
            tree=tree,
            page=page,
            more=start + len(rows) < found,
            may=may(),
            home=g.here.currency,
        )


def one(row_id: int) -> ResponseReturnValue:
    """One product, to be looked at and changed."""
    with db.reading() as session:
        row = existing(session, row_id)
        return _page(session, _values(row), row)


def form() -> ResponseReturnValue:
    """The form for a new one; with `variant_of` for a variant."""
    allowed()
    with db.reading() as session:
        parent = leads.number(request.args.get("variant_of"))
        given = {"section": _line(request.args.get("section", ""), 700), "active": "yes", "prices": {}}
        if parent is not None and (of := existing(session, parent)).parent_id is None:
            given |= {"name": of.name, "section": of.section, "unit": of.unit, "variant_of": str(of.id)}
        return _page(session, given, None)


def save(row_id: int | None = None) -> ResponseReturnValue:
    """Makes a product, or changes it where nobody else has meanwhile."""
    allowed()
    given: dict[str, Any] = {name: _line(request.form.get(name, ""), most) for name, most in _TEXTS.items()}
    given["description"] = (
        request.form.get("description", "").replace("\r\n", "\n").replace("\0", "")[:10_000]
    )
    given |= {name: request.form.get(name, "") for name in ("tax_rate", "tax_included", "active", "options")}
    given["variant_of"] = request.form.get("variant_of", "")
    given["prices"] = {
        name.removeprefix("price-"): written.strip()[:40]
        for name, written in request.form.items()
        if name.startswith("price-")
    }
    try:
        with db.unit_of_work() as session:
            row = existing(session, row_id, lock=True) if row_id is not None else None
            values = _read(given, row)
            row = products.create(session, values) if row is None else _changed(session, row, values)
            saved = row.id
    except (Invalid, Conflict) as error:
        with db.reading() as session:
            row = existing(session, row_id) if row_id is not None else None
            return _page(session, given, row, mistakes=problems.by_field(error)), 422
    return redirect(url_for("console.product", row_id=saved), 303)


def picture(row_id: int) -> ResponseReturnValue:
    """The picture that was handed in."""
    with db.reading() as session:
        row = existing(session, row_id)
        place, kind = row.image_place, row.image_kind
    if place is None or kind is None:
        raise NotFound("It has no picture.")
    return download.as_picture(place, kind)


def set_picture(row_id: int, what: str) -> ResponseReturnValue:
    """Takes a picture in the place of the one before, or takes it away."""
    allowed()
    file = request.files.get("file")
    content = file.stream.read(product_images.LARGEST + 1) if file is not None else b""
    try:
        with db.unit_of_work() as session:
            row = existing(session, row_id, lock=True)
            if what == "set":
                before = product_images.keep(session, row, content, (file and file.filename) or "picture")
            else:
                before = product_images.forget(session, row)
    except Invalid as error:
        with db.reading() as session:
            row = existing(session, row_id)
            mistakes = {"picture": next(iter(error.fields.values()), str(error))}
            return _page(session, _values(row), row, mistakes=mistakes), 422
    if before:
        storage.delete(before)
    return redirect(url_for("console.product", row_id=row_id), 303)


def _changed(session: Session, row: Product, values: Mapping[str, Any]) -> Product:
    if request.form.get("seen") != row.updated_at.isoformat():
        raise Conflict("somebody else has changed it meanwhile: look at it again")
    products.change(session, row, values)
    return row


def _read(given: Mapping[str, Any], row: Product | None) -> dict[str, Any]:
    """What was filled in, as `crm.products` takes it. Raises Invalid with every mistake."""
    values: dict[str, Any] = {name: given[name] for name in _TEXTS if name != "sku"}
    values["sku"] = given["sku"] or None
    values["active"], values["tax_included"] = given["active"] == "yes", given["tax_included"] == "yes"
    wrong: dict[str, str] = {}
    numbers: dict[str, Decimal] = {}
    for name, written in {**given["prices"], "tax_rate": given["tax_rate"].strip()[:40]}.items():
        if written:
            place = "/tax_rate" if name == "tax_rate" else f"/prices/{name}"
            try:
                numbers[name] = decimal(written.rstrip(" %"), place)
            except Invalid as error:
                wrong |= error.fields
    values["tax_rate"] = numbers.pop("tax_rate", None)
    values["prices"] = numbers
    if values["tax_rate"] is not None and not 0 <= values["tax_rate"] <= 1000:
        wrong["/tax_rate"] = "is no rate in per cent"
    options = [part.partition(":") for part in given["options"].split(",") if part.strip()][:20]
    values["options"] = {k.strip()[:100]: v.strip()[:200] for k, _, v in options}
    if any(not k.strip() or not v.strip() for k, _, v in options):
        wrong["/options"] = "is written size: L, colour: red"
    if row is None and given["variant_of"].isdecimal():
        values["parent_id"] = int(given["variant_of"][:18])
    if wrong:
        raise Invalid("some values are not acceptable", wrong)
    return values


def _values(row: Product) -> dict[str, Any]:
    return {
        **{name: getattr(row, name) or "" for name in _TEXTS},
        "tax_rate": f"{row.tax_rate.normalize():f}" if row.tax_rate is not None else "",
        "tax_included": "yes" if row.tax_included else "",
        "active": "yes" if row.active else "",
        "options": ", ".join(f"{k}: {v}" for k, v in row.options.items()),
        "prices": row.prices,
        "variant_of": "",
    }


def _page(
    session: Session,
    given: Mapping[str, Any],
    row: Product | None,
    *,
    mistakes: Mapping[str, str] | None = None,
) -> str:
    settings = catalogue.load(session)
    parent = row.parent if row is not None else None
    if row is None and str(given.get("variant_of") or "").isdecimal():
        parent = session.get(Product, int(given["variant_of"][:18]))
    codes = [g.here.currency, *(c.code for c in settings.currencies), *given["prices"]]
    return render_template(
        "console/product.html",
        row=row,
        given=given,
        parent=parent,
        mistakes=mistakes or {},
        codes=list(dict.fromkeys(codes)),
        units=settings.units,
        tree=sections.tree(session),
        variants=row.variants if row is not None else [],
        largest=product_images.LARGEST // 1_000_000,
        kinds=product_images.KINDS,
        may=may(),
    )


def existing(session: Session, row_id: int, *, lock: bool = False) -> Product:
    """The product. Raises NotFound."""
    row = session.get(Product, row_id, with_for_update=lock)
    if row is None:
        raise NotFound("There is no such product.")
    return row


def may() -> bool:
    """Whether whoever has signed in may change the catalogue."""
    return auth.current_user().role is not Role.READ_ONLY


def allowed() -> None:
    """Raises NotAllowed where they may not."""
    if not may():
        raise NotAllowed("You may look, and change nothing.")


def _line(text: str, most: int) -> str:
    return " ".join(text.replace("\0", " ").split())[:most]
