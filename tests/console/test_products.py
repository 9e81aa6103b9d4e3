"""The catalogue in the console: listed by section, searched, added to, changed, with pictures."""

from __future__ import annotations

import io
import re
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import select

from core import db
from crm import products, sections
from models.product import Product, Section
from models.user import Role, User
from tests.api.test_products import PNG
from tests.console.conftest import token

HOSTILE = "<script>alert(1)</script>"


def post(client: FlaskClient, path: str, page: str = "/new-product", **form: Any) -> Any:
    return client.post(path, data={"csrf_token": token(client.get(page)), **form})


def test_a_product_is_added_found_by_section_and_words_changed_and_switched_off(ana: FlaskClient) -> None:
    assert "No product fits" in ana.get("/products").text
    form = {"name": f"Oven {HOSTILE}", "sku": "OV", "section": "Ovens > Gas", "active": "yes"}
    more = {"price-BRL": "1.234,50", "tax_rate": "18 %", "unit": "piece", "description": HOSTILE}
    made = post(ana, "/new-product", **form, **more)
    assert (made.status_code, made.headers["Location"]) == (303, "/products/1")
    with db.reading() as session:
        row = session.get_one(Product, 1)
        assert (row.prices, str(row.tax_rate), row.section) == ({"BRL": "1234.50"}, "18.0000", "Ovens > Gas")
    for path in ("/products", "/products?q=ov", "/products?section=Ovens", "/products/1"):
        page = ana.get(path).text
        assert ("Oven" in page, HOSTILE in page) == (True, False), path
    assert "1,234.50 BRL" in ana.get("/products").text
    for path in ("/products?q=tray", "/products?section=Trays", "/products?active=no"):
        assert "No product fits" in ana.get(path).text, path
    seen = re.findall(r'name="seen" value="([^"]+)"', ana.get("/products/1").text)[0]
    changed = {**form, "active": "", "price-BRL": "99", "seen": seen}
    assert post(ana, "/products/1", **changed).status_code == 303
    assert "No product fits" in ana.get("/products").text
    assert "99.00 BRL" in ana.get("/products?active=no").text
    stale = post(ana, "/products/1", **{**form, "seen": "before"})
    assert (stale.status_code, "changed it meanwhile" in stale.text) == (422, True)


def test_what_does_not_fit_is_said_beside_its_field_and_nothing_is_kept(ana: FlaskClient) -> None:
    with db.unit_of_work() as session:
        products.create(session, {"name": "Oven", "sku": "OV"})
    for form, field in (
        ({"price-BRL": "1,234"}, "prices-BRL"),
        ({"price-BRL": "-1"}, "prices-BRL"),
        ({"tax_rate": "much"}, "tax_rate"),
        ({"section": "A > > B"}, "section"),
        ({"options": "L"}, "options"),
        ({"name": ""}, "name"),
        ({"sku": "OV"}, None),
    ):
        answer = post(ana, "/new-product", **({"name": "Other", "sku": ""} | form))
        assert answer.status_code == 422, form
        assert field is None or f'id="{field}-wrong"' in answer.text, form
    with db.reading() as session:
        assert len(session.scalars(select(Product)).all()) == 1


def test_a_variant_and_a_picture_are_added_on_the_product_s_page(ana: FlaskClient) -> None:
    with db.unit_of_work() as session:
        products.create(session, {"name": "Oven", "section": "Ovens"})
    page = "/new-product?variant_of=1"
    assert "Variant of" in ana.get(page).text
    form = {"name": "Large oven", "options": "size: L", "variant_of": "1"}
    assert post(ana, "/new-product", page, **form).status_code == 303
    assert "size: L" in ana.get("/products/1").text
    file = {"file": (io.BytesIO(PNG), "x.png")}
    assert post(ana, "/products/1/picture/set", **file).status_code == 303
    shown = ana.get("/products/1/picture")
    assert (shown.data, shown.mimetype) == (PNG, "image/png")
    assert "sandbox" in shown.headers["Content-Security-Policy"]
    assert "/products/1/picture" in ana.get("/products").text
    wrong = post(ana, "/products/1/picture/set", file=(io.BytesIO(b"<svg/>"), "x.png"))
    assert (wrong.status_code, "is no picture" in wrong.text.lower()) == (422, True)
    assert post(ana, "/products/1/picture/remove").status_code == 303
    assert ana.get("/products/1/picture").status_code == 404


def test_sections_are_made_moved_and_deleted(ana: FlaskClient) -> None:
    with db.unit_of_work() as session:
        products.create(session, {"name": "Oven", "section": "Ovens > Gas"})
    assert post(ana, "/product-sections", name="<b class=x", parent="").status_code == 303
    assert "<b class=x" not in ana.get("/product-sections").text
    assert post(ana, "/product-sections/2/change", name="Gas ovens", parent="3").status_code == 303
    with db.reading() as session:
        assert session.get_one(Product, 1).section == "<b class=x > Gas ovens"
    ring = post(ana, "/product-sections/3/change", name="x", parent="2")
    assert (ring.status_code, "within it" in ring.text) == (422, True)
    assert post(ana, "/product-sections/2/delete").status_code == 422
    assert post(ana, "/product-sections/1/delete").status_code == 303
    assert post(ana, "/product-sections/9/delete").status_code == 404
    with db.reading() as session:
        assert len(session.scalars(select(Section)).all()) == 2


def test_whoever_may_only_look_changes_nothing(ana: FlaskClient, people: dict[str, int]) -> None:
    with db.unit_of_work() as session:
        products.create(session, {"name": "Oven"})
        sections.create(session, "Ovens")
        session.get_one(User, people["ana"]).role = Role.READ_ONLY
    assert "New product" not in ana.get("/products").text
    assert "Save" not in ana.get("/products/1").text
    assert ana.get("/new-product").status_code == 403
    csrf = token(ana.get("/products/1"))
    paths = (
        "/new-product",
        "/products/1",
        "/products/1/picture/set",
        "/product-sections",
        "/product-sections/1/delete",
    )
    for path in paths:
        assert ana.post(path, data={"csrf_token": csrf, "name": "x"}).status_code == 403, path
