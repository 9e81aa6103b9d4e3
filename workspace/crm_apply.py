"""Makes the database say what a checked document says of the CRM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from crm import catalogue, sections
from models.pipeline import Pipeline, Stage, StageGroup
from models.product import Product
from models.workspace import WorkspaceRow
from workspace.change import Change
from workspace.crm_parts import PipelineEntry, ProductEntry
from workspace.schema import WorkspaceFile


def apply(
    session: Session, row: WorkspaceRow, file: WorkspaceFile, stored: Mapping[str, Any]
) -> list[Change]:
    """Applies these parts. Pipelines, stages and products that are left out are switched off: deals refer
    to them."""
    changes: list[Change] = []
    for part in catalogue.PARTS:
        wanted = stored.get(part)
        if wanted is not None and row.crm.get(part) != wanted:
            action = "change" if row.crm.get(part) else "add"
            count = f" ({len(wanted)})" if isinstance(wanted, list) else ""
            changes.append(Change(action, f"{part.replace('_', ' ')}{count}"))
            row.crm = {**row.crm, part: wanted}
    if file.pipelines is not None:
        changes += _pipelines(session, file.pipelines)
    if file.products is not None:
        changes += _products(session, file.products, catalogue.CrmSettings.model_validate(row.crm))
    return changes


def _pipelines(session: Session, wanted: Sequence[PipelineEntry]) -> list[Change]:
    standing = {p.key: p for p in session.scalars(select(Pipeline))}
    changes = []
    for place, entry in enumerate(wanted):
        values = {"name": entry.name or entry.key, "position": place, "active": True}
        line = standing.get(entry.key)
        if line is None:
            line = Pipeline(key=entry.key, **values)
            session.add(line)
            session.flush()
            _stages(session, line, entry)
            changes.append(Change("add", f"pipeline {entry.key}"))
            continue
        differing = _set(line, values)
        if _stages(session, line, entry):
            differing.append("stages")
        if differing:
            changes.append(Change("change", f"pipeline {entry.key}", tuple(differing)))
    for key, line in standing.items():
        if line.active and key not in {e.key for e in wanted}:
            line.active = False
            changes.append(Change("remove", f"pipeline {key}"))
    session.flush()
    return changes


def _stages(session: Session, line: Pipeline, entry: PipelineEntry) -> bool:
    standing = {s.key: s for s in session.scalars(select(Stage).where(Stage.pipeline_id == line.id))}
    changed = False
    for place, wanted in enumerate(entry.stages):
        sure = 100 if wanted.group is StageGroup.WON else 0
        values = {
            "name": wanted.name or wanted.key,
            "group": wanted.group,
            "position": place,
            "probability": sure if wanted.probability is None else wanted.probability,
            "requires": list(wanted.requires),
            "reason_required": wanted.reason_required,
            "active": True,
        }
        stage = standing.get(wanted.key)
        if stage is None:
            session.add(Stage(pipeline_id=line.id, key=wanted.key, **values))
            changed = True
        elif _set(stage, values):
            changed = True
    for key, stage in standing.items():
        if stage.active and key not in {s.key for s in entry.stages}:
            stage.active, changed = False, True
    session.flush()
    session.expire(line, ["stages"])
    return changed


def _products(
    session: Session, wanted: Sequence[ProductEntry], settings: catalogue.CrmSettings
) -> list[Change]:
    standing = {p.sku: p for p in session.scalars(select(Product).where(Product.sku.is_not(None)))}
    taxes = {t.key: t for t in settings.taxes}
    changes = []
    # Products first, then their variants.
    for entry in sorted(wanted, key=lambda e: e.variant_of is not None):
        tax = taxes.get(entry.tax or "")
        parent = standing.get(entry.variant_of) if entry.variant_of else None
        values = {
            "name": entry.name,
            **sections.columns(session, entry.section),
            "description": entry.description,
            "unit": entry.unit,
            "prices": {code: f"{price:f}" for code, price in entry.prices.items()},
            "tax_rate": tax.rate if tax else None,
            "tax_included": tax.included if tax else False,
            "options": dict(entry.options),
            "image_url": entry.image,
            "parent_id": parent.id if parent else None,
            "active": True,
            "from_file": True,
        }
        product = standing.get(entry.sku)
        if product is None:
            now = clock.now()
            product = Product(sku=entry.sku, created_at=now, updated_at=now, **values)
            session.add(product)
            session.flush()
            standing[entry.sku] = product
            changes.append(Change("add", f"product {entry.sku}"))
        elif differing := _set(product, values):
            product.updated_at = clock.now()
            differing = [name for name in differing if name != "section_id"]
            changes.append(Change("change", f"product {entry.sku}", tuple(differing)))
    left = {e.sku for e in wanted}
    for sku, product in standing.items():
        if product.from_file and product.active and sku not in left:
            product.active = False
            changes.append(Change("remove", f"product {sku}"))
    session.flush()
    return changes


def _set(row: Any, values: Mapping[str, Any]) -> list[str]:
    differing = [name for name, value in values.items() if getattr(row, name) != value]
    for name in differing:
        setattr(row, name, values[name])
    return differing
