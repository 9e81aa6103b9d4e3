"""Mistakes in the CRM's parts that only show beside other parts, and the words that rules may use of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm import catalogue, pipelines
from crm.catalogue import CrmSettings
from models.pipeline import Pipeline, Stage
from models.workspace import WorkspaceRow
from rules.vocabulary import nearest
from workspace.crm_parts import STATUS_REQUIRABLE
from workspace.document import Path
from workspace.schema import WorkspaceFile


def settings_after(session: Session, file: WorkspaceFile) -> CrmSettings:
    """What the CRM would be set up with once the file is applied."""
    row = session.get(WorkspaceRow, 1)
    kept: dict[str, Any] = dict(row.crm) if row else {}
    named = {part: value for part in catalogue.PARTS if (value := getattr(file, part)) is not None}
    return CrmSettings.model_validate(kept).model_copy(update=named)


def words(session: Session, file: WorkspaceFile) -> Mapping[str, tuple[str, ...]]:
    """The words that fields of rules may have here beside those they have everywhere."""
    settings = settings_after(session, file)
    if file.pipelines is not None:
        lines = {p.key: tuple(s.key for s in p.stages) for p in file.pipelines}
    else:
        rows = session.execute(
            select(Pipeline.key, Stage.key).join(Stage).where(Pipeline.active, Stage.active)
        ).all()
        lines = {}
        for line, stage in rows:
            lines[line] = (*lines.get(line, ()), stage)
    lines = lines or {pipelines.DEFAULT: tuple(pipelines.DEFAULT_STAGES)}
    return {
        "lead.status": tuple(s.key for s in settings.lead_statuses),
        "activity.type": tuple(k.key for k in settings.activity_types),
        "junk_reason": tuple(r.key for r in settings.junk_reasons),
        "closing_reason": tuple(r.key for r in settings.closing_reasons),
        "deal.pipeline": tuple(lines),
        "deal.stage": tuple(dict.fromkeys(s for stages in lines.values() for s in stages)),
    }


def references(session: Session, file: WorkspaceFile) -> Iterator[tuple[Path, str]]:
    """What these parts name that is not there."""
    settings = settings_after(session, file)
    declared = {kind: settings.fields_of(kind) for kind in ("lead", "deal")}
    for place, pipeline in enumerate(file.pipelines or ()):
        for number, stage in enumerate(pipeline.stages):
            for index, name in enumerate(stage.requires):
                custom = name.removeprefix("fields.")
                if name.startswith("fields.") and custom not in declared["deal"]:
                    path: Path = ("pipelines", place, "stages", number, "requires", index)
                    yield path, f"there is no field '{custom}' of deals{nearest(custom, declared['deal'])}"
    for place, status in enumerate(file.lead_statuses or ()):
        for index, name in enumerate(status.requires):
            if not name.startswith("fields.") and name not in STATUS_REQUIRABLE:
                at: Path = ("lead_statuses", place, "requires", index)
                can = ", ".join(STATUS_REQUIRABLE)
                yield at, f"'{name}' cannot be required: {can} and fields.<key> can"
    yield from _products(session, file, settings)


def _products(session: Session, file: WorkspaceFile, settings: CrmSettings) -> Iterator[tuple[Path, str]]:
    units, taxes = _keys(settings.units), _keys(settings.taxes)
    home = file.workspace.currency if file.workspace else _home(session)
    codes = [home, *(c.code for c in settings.currencies)]
    skus = {p.sku: p for p in file.products or ()}
    for place, product in enumerate(file.products or ()):
        at: Path = ("products", place)
        if product.unit and product.unit not in units:
            yield (*at, "unit"), f"there is no unit '{product.unit}'{nearest(product.unit, units)}"
        if product.tax is not None and product.tax not in taxes:
            yield (*at, "tax"), f"there is no tax '{product.tax}'{nearest(product.tax, taxes)}"
        for code in product.prices:
            if code not in codes:
                yield (*at, "prices", code), f"there is no currency '{code}'{nearest(code, codes)}"
        parent = skus.get(product.variant_of or "")
        if product.variant_of is not None and (parent is None or parent.variant_of or parent is product):
            yield (*at, "variant_of"), f"'{product.variant_of}' is no product that can have variants"


def _keys(named: Sequence[Any]) -> list[str]:
    return [entry.key for entry in named]


def _home(session: Session) -> str:
    row = session.get(WorkspaceRow, 1)
    return str(row.settings.get("currency", "USD")) if row else "USD"
