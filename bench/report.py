"""The figures, each beside its limit, as a table for people and as JSON for programs."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path


def percentile(values: Iterable[float], share: float) -> float:
    """The value below which `share` percent of the values lie (nearest rank); 0 where there is none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share / 100))] if ordered else 0.0


def median(values: Iterable[float]) -> float:
    """The middle one."""
    return percentile(values, 50)


@dataclass(frozen=True, slots=True)
class Figure:
    """One line: what was measured, beside what, the ratio of the two, and the ratio or value aimed at.

    `ratio` is given where it is not simply value / limit, as where it is a median over rounds.
    """

    area: str
    what: str
    value: float
    unit: str
    beside: str = ""
    limit: float | None = None
    ratio: float | None = None
    target: str = ""
    met: bool | None = None

    def cells(self) -> tuple[str, ...]:
        """As the table shows it."""
        ratio = self.ratio if self.ratio is not None else self.value / self.limit if self.limit else None
        target = self.target + ({True: " ✓", False: " ✗", None: ""}[self.met] if self.target else "")
        beside = f"{self.beside}: {_number(self.limit)}" if self.limit is not None else self.beside
        return (self.what, f"{_number(self.value)} {self.unit}", beside, _ratio(ratio), target)


@dataclass
class Report:
    """All figures of a run, and on what machine."""

    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, *figures: Figure) -> None:
        """Takes figures in, in the order in which they are shown."""
        self.figures += figures

    def table(self) -> str:
        """A Markdown table for each area, which is as easily read in a terminal."""
        parts = [machine()]
        for area in sorted({f.area: None for f in self.figures}, key=lambda a: a == "memory"):
            rows = [f.cells() for f in self.figures if f.area == area]
            parts.append(_table((area, "measured", "beside, in the same run", "ratio", "target"), rows))
        return "\n\n".join([*parts, *self.notes])

    def write(self, path: Path) -> None:
        """As JSON."""
        document = {
            "machine": machine(),
            "figures": [asdict(f) for f in self.figures],
            "notes": self.notes,
        }
        path.write_text(json.dumps(document, indent=2) + "\n")


def machine() -> str:
    """The machine in words."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores, {memory:.0f} GiB, {platform.system()}, Python {platform.python_version()}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _ratio(ratio: float | None) -> str:
    if ratio is None:
        return ""
    return f"{ratio:.1f} ×" if ratio >= 2 else f"{ratio:.0%}" if ratio >= 0.095 else f"{ratio:.1%}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(c.ljust(w) for c, w in zip(cells, widths, strict=True)) + " |"

    return "\n".join([line(head), line(["-" * w for w in widths]), *map(line, rows)])
