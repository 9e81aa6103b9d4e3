"""The catalogue: what is sold."""

from __future__ import annotations

from flask import Response
from sqlalchemy.orm import Session

from api.body import takes_file
from api.paging import Page, page
from api.parameters import RowPath
from api.product_view import Picture, Product, ProductChange, ProductQuery
from api.resource import answer, gone, group, refused
from api.versions import unchanged, with_version
from core import db, storage
from core.errors import NotFound
from core.settings import settings
from crm import products
from intake import download, product_images
from models.product import Product as ProductRow

resource = group("products", "What is sold")


@resource.get("/products", responses={200: Page[Product]})
def list_products(query: ProductQuery) -> Response:
    """The products and variants that fit all filters, newest first."""
    chosen = products.chosen(
        q=query.q, section=query.section, sku=query.sku, active=query.active, parent_id=query.parent
    )
    with db.reading() as session:
        rows, following = page(session, chosen, ProductRow.id, query, of="products")
    return answer(Page[Product](items=[Product.of(row) for row in rows], next_cursor=following))


@resource.get("/products/<row:id>", responses={200: Product, **refused(404)})
def get_product(path: RowPath) -> Response:
    """One product."""
    with db.reading() as session:
        row = _existing(session, path.id)
        return with_version(answer(Product.of(row)), row)


@resource.post("/products", responses={201: Product, **refused(400, 409, 413, 415)})
def create_product(body: ProductChange) -> Response:
    """Makes a product, or a variant of one. A section that is not there is made."""
    with db.unit_of_work() as session:
        row = products.create(session, body.model_dump(exclude_unset=True))
        made = with_version(answer(Product.of(row), 201), row)
        made.headers["Location"] = f"{settings().address}/api/v1/products/{row.id}"
    return made


@resource.patch("/products/<row:id>", responses={200: Product, **refused(400, 404, 409, 412, 413, 415)})
def change_product(path: RowPath, body: ProductChange) -> Response:
    """Sets what is given, and nothing else. Lines of deals stay as they are."""
    with db.unit_of_work() as session:
        row = _existing(session, path.id, lock=True)
        unchanged(row)
        products.change(session, row, body.model_dump(exclude_unset=True))
        return with_version(answer(Product.of(row)), row)


@resource.delete("/products/<row:id>", responses={204: None, **refused(404, 409, 412)})
def delete_product(path: RowPath) -> Response:
    """Deletes a product that is on no deal and has no variants; others can be made inactive."""
    with db.unit_of_work() as session:
        row = _existing(session, path.id, lock=True)
        unchanged(row)
        picture = row.image_place
        products.delete(session, row)
    if picture:
        storage.delete(picture)
    return gone()


@resource.get("/products/<row:id>/image", responses={**refused(404)})
def get_product_image(path: RowPath) -> Response:
    """The picture that was handed in."""
    with db.reading() as session:
        row = _existing(session, path.id)
        place, kind = row.image_place, row.image_kind
    if place is None or kind is None:
        raise NotFound("it has no picture")
    return download.as_picture(place, kind)


@resource.put("/products/<row:id>/image", responses={200: Product, **refused(404, 412, 413, 415)})
@takes_file(product_images.LARGEST)
def set_product_image(path: RowPath, form: Picture) -> Response:
    """Takes a picture: PNG, JPEG, GIF or WebP, told by its content."""
    content = form.file.stream.read(product_images.LARGEST + 1)
    with db.unit_of_work() as session:
        row = _existing(session, path.id, lock=True)
        unchanged(row)
        before = product_images.keep(session, row, content, form.file.filename or "picture")
        made = with_version(answer(Product.of(row)), row)
    if before:
        storage.delete(before)
    return made


@resource.delete("/products/<row:id>/image", responses={204: None, **refused(404, 412)})
def delete_product_image(path: RowPath) -> Response:
    """Takes the picture away."""
    with db.unit_of_work() as session:
        row = _existing(session, path.id, lock=True)
        unchanged(row)
        before = product_images.forget(session, row)
    if before:
        storage.delete(before)
    return gone()


def _existing(session: Session, row_id: int, *, lock: bool = False) -> ProductRow:
    row = session.get(ProductRow, row_id, with_for_update=lock)
    if row is None:
        raise NotFound("there is no such product")
    return row
