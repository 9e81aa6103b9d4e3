"""Pictures of products: what is taken as one by its content, and where it lies."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core import clock, storage
from core.errors import Invalid
from core.ids import digest
from intake.forms import filetypes
from models.product import Product

#: The most bytes of one.
LARGEST = 5_000_000
#: What every browser shows, and none runs: SVG is a document with scripts.
KINDS = ("image/png", "image/jpeg", "image/gif", "image/webp")


def keep(session: Session, product: Product, content: bytes, name: str) -> str | None:
    """Makes this the product's picture; answers with the place of the one before, for `storage.delete` once
    the transaction is over.

    Raises Invalid for what is no picture or too large, Unavailable where the storage does not take it.
    """
    kind = filetypes.kind_of(content, name)
    words = ""
    if not content:
        words = "is empty"
    elif len(content) > LARGEST:
        words = f"is larger than {filetypes.size(LARGEST)}"
    elif kind not in KINDS:
        words = "is no picture: PNG, JPEG, GIF and WebP are taken"
    if words:
        raise Invalid("some values are not acceptable", {"/file": words})
    place = f"products/{product.id}/{digest(content)}"
    storage.put(place, content)
    return _set(session, product, place, kind, len(content))


def forget(session: Session, product: Product) -> str | None:
    """Takes the picture away; answers as `keep` does."""
    return _set(session, product, None, None, None)


def _set(
    session: Session, product: Product, place: str | None, kind: str | None, size: int | None
) -> str | None:
    before = product.image_place
    product.image_place, product.image_kind, product.image_size = place, kind, size
    product.updated_at = clock.now()
    session.flush()
    return before if before != place else None
