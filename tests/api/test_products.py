"""The catalogue over the API: a tree of sections, products in it, and their pictures."""

from __future__ import annotations

import io
from typing import Any

import pytest
from sqlalchemy import select

from core import db, storage
from core.errors import NotFound
from intake import product_images
from models import Product
from tests.api.answers import made, wrong
from tests.api.conftest import Ask
from tests.factories import WORKSPACE, configure

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360000002000001"
    "e221bc330000000049454e44ae426082"
)


def paths(ask: Ask) -> list[tuple[str, int]]:
    return [(s["path"], s["products"]) for s in ask("GET", "/product-sections").json["items"]]


def names(ask: Ask, query: str) -> list[str]:
    return sorted(p["name"] for p in ask("GET", f"/products?{query}").json["items"])


def test_sections_are_a_tree_that_is_moved_and_renamed_with_all_that_is_in_it(ask: Ask) -> None:
    ovens = made(ask, "/product-sections", name="Ovens", position=2)
    gas = made(ask, "/product-sections", name="Gas", parent_id=ovens["id"])
    made(ask, "/products", name="Small", section="Ovens > Gas > Small")
    made(ask, "/products", name="Large", section=" Ovens>Gas ")
    made(ask, "/products", name="Tray", section="Trays")
    made(ask, "/products", name="Loose")
    tree = [("Trays", 1), ("Ovens", 0), ("Ovens > Gas", 1), ("Ovens > Gas > Small", 1)]
    assert paths(ask) == tree
    assert names(ask, "section=Ovens") == ["Large", "Small"]
    here = f"/product-sections/{gas['id']}"
    tag = ask("GET", here).headers["ETag"]
    moved = ask("PATCH", here, json={"parent_id": None, "name": "Gas ovens"}, headers={"If-Match": tag})
    assert (moved.status_code, moved.json["path"], moved.json["products"]) == (200, "Gas ovens", 1)
    assert ask("PATCH", here, json={"name": "x"}, headers={"If-Match": tag}).status_code == 412
    assert paths(ask) == [("Gas ovens", 1), ("Gas ovens > Small", 1), ("Trays", 1), ("Ovens", 0)]
    assert names(ask, "section=Gas ovens") == ["Large", "Small"]
    assert names(ask, "section=Ovens") == []
    assert ask("DELETE", here).status_code == 409
    assert ask("DELETE", f"/product-sections/{ovens['id']}").status_code == 204
    assert ask("GET", f"/product-sections/{ovens['id']}").status_code == 404


def test_a_section_comes_into_no_ring_and_beside_no_other_of_its_name(ask: Ask) -> None:
    one = made(ask, "/product-sections", name="A")
    two = made(ask, "/product-sections", name="B", parent_id=one["id"])
    three = made(ask, "/product-sections", name="C", parent_id=two["id"])
    for within in (one, two, three):
        answer = ask("PATCH", f"/product-sections/{one['id']}", json={"parent_id": within["id"]})
        assert wrong(answer) == {"/parent_id"}
    assert ask("POST", "/product-sections", json={"name": "A"}).status_code == 409
    other = made(ask, "/product-sections", name="B")
    assert ask("PATCH", f"/product-sections/{two['id']}", json={"parent_id": None}).status_code == 409
    deep = " > ".join("DEFGH")
    made(ask, "/products", name="x", section=deep)
    (top,) = [s for s in ask("GET", "/product-sections").json["items"] if s["path"] == "D"]
    answer = ask("PATCH", f"/product-sections/{top['id']}", json={"parent_id": three["id"]})
    assert wrong(answer) == {"/parent_id"}
    for name in ("", "A > B", "x" * 101, "a\nb"):
        assert wrong(ask("PATCH", f"/product-sections/{other['id']}", json={"name": name})) == {"/name"}
    assert wrong(ask("POST", "/products", json={"name": "x", "section": "A > > B"})) == {"/section"}
    assert wrong(ask("POST", "/products", json={"name": "x", "section": f"{deep} > I > J"})) == {"/section"}
    assert wrong(ask("POST", "/product-sections", json={"name": "x", "parent_id": 99})) == {"/parent_id"}


def test_a_product_that_was_changed_meanwhile_is_not_overwritten(ask: Ask) -> None:
    path = f"/products/{made(ask, '/products', name='Oven', sku='OV')['id']}"
    tag = ask("GET", path).headers["ETag"]
    fresh = ask("PATCH", path, json={"unit": "piece"}, headers={"If-Match": tag})
    assert (fresh.status_code, fresh.headers["ETag"] != tag) == (200, True)
    assert ask("PATCH", path, json={"unit": "x"}, headers={"If-Match": tag}).status_code == 412
    assert ask("DELETE", path, headers={"If-Match": tag}).status_code == 412
    assert ask("GET", path).json["unit"] == "piece"


def put_picture(ask: Ask, path: str, content: bytes, **more: Any) -> Any:
    return ask("PUT", f"{path}/image", data={"file": (io.BytesIO(content), "oven.png")}, **more)


def test_a_picture_is_kept_shown_replaced_and_taken_away(ask: Ask) -> None:
    path = f"/products/{made(ask, '/products', name='Oven')['id']}"
    assert ask("GET", f"{path}/image").status_code == 404
    kept = put_picture(ask, path, PNG)
    assert kept.status_code == 200, kept.text
    assert kept.json["image"].endswith(f"{path}/image")
    shown = ask("GET", f"{path}/image")
    assert (shown.data, shown.mimetype) == (PNG, "image/png")
    assert (
        shown.headers["X-Content-Type-Options"],
        "sandbox" in shown.headers["Content-Security-Policy"],
    ) == (
        "nosniff",
        True,
    )
    with db.reading() as session:
        first = str(session.scalar(select(Product.image_place)))
    tag = kept.headers["ETag"]
    assert put_picture(ask, path, PNG + b"\0").status_code == 200
    assert put_picture(ask, path, PNG, headers={"If-Match": tag}).status_code == 412
    with pytest.raises(NotFound):
        storage.get(first)
    assert ask("GET", f"{path}/image").data == PNG + b"\0"
    assert ask("DELETE", f"{path}/image").status_code == 204
    assert ask("GET", path).json["image"] is None
    put_picture(ask, path, PNG)
    assert ask("DELETE", path).status_code == 204
    with pytest.raises(NotFound):
        storage.get(first)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>",
        b"%PDF-1.7 x",
        b"GIF",
        b"text",
    ],
)
def test_what_is_no_picture_is_not_taken_as_one(ask: Ask, content: bytes) -> None:
    path = f"/products/{made(ask, '/products', name='Oven')['id']}"
    assert wrong(put_picture(ask, path, content)) == {"/file"}
    assert ask("PUT", f"{path}/image", data={"other": "x"}).status_code in (415, 422)
    assert ask("GET", path).json["image"] is None


def test_a_picture_that_is_too_large_is_not_taken(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(product_images, "LARGEST", 50)
    path = f"/products/{made(ask, '/products', name='Oven')['id']}"
    assert wrong(put_picture(ask, path, PNG)) == {"/file"}


def test_the_workspace_file_puts_products_into_sections(ask: Ask) -> None:
    products = "  - {sku: OV, name: Oven, section: Ovens > Gas, prices: {BRL: 10}}"
    configure(WORKSPACE, products=products)
    assert paths(ask) == [("Ovens", 0), ("Ovens > Gas", 1)]
    (there,) = ask("GET", "/workspace").json["settings"]["products"]
    assert there["section"] == "Ovens > Gas"
    assert configure(WORKSPACE, products=products) == []
    assert [str(c) for c in configure(WORKSPACE, products=products.replace("Gas", "Electric"))] == [
        "~ product OV (section)"
    ]
