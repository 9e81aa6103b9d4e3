"""What the CRM is set up with, as the document that would make it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm import catalogue
from crm.pipelines import all_pipelines
from models.pipeline import Pipeline, Stage, StageGroup
from models.product import Product
from models.workspace import WorkspaceRow


def parts(session: Session, row: WorkspaceRow) -> dict[str, Any]:
    """These parts, in the order of the schema."""
    document: dict[str, Any] = {"pipelines": [_pipeline(p) for p in all_pipelines(session)]}
    chosen = select(Product).where(Product.active, Product.from_file).order_by(Product.id)
    products = session.scalars(chosen).all()
    settings = catalogue.CrmSettings.model_validate(row.crm)
    skus = {p.id: p.sku for p in products}
    document["products"] = [_product(p, skus, settings) for p in products]
    return document | {part: row.crm.get(part) for part in catalogue.PARTS}


def _pipeline(line: Pipeline) -> dict[str, Any]:
    return {"key": line.key, "name": line.name, "stages": [_stage(s) for s in line.stages if s.active]}


def _stage(stage: Stage) -> dict[str, Any]:
    entry: dict[str, Any] = {"key": stage.key, "name": stage.name, "group": stage.group.value}
    if stage.probability != (100 if stage.group is StageGroup.WON else 0):
        entry["probability"] = stage.probability
    if stage.requires:
        entry["requires"] = stage.requires
    if stage.reason_required:
        entry["reason_required"] = True
    return entry


def _product(
    product: Product, skus: dict[int, str | None], settings: catalogue.CrmSettings
) -> dict[str, Any]:
    entry: dict[str, Any] = {"sku": product.sku, "name": product.name}
    entry |= {
        name: value
        for name in ("section", "description", "unit", "prices", "options")
        if (value := getattr(product, name))
    }
    tax = next(
        (t.key for t in settings.taxes if (t.rate, t.included) == (product.tax_rate, product.tax_included)),
        None,
    )
    if tax is not None:
        entry["tax"] = tax
    if product.image_url:
        entry["image"] = product.image_url
    if product.parent_id is not None:
        entry["variant_of"] = skus.get(product.parent_id)
    return entry
