"""One row of a file, as it was read."""

from __future__ import annotations

from dataclasses import dataclass

#: A cell: text, a number or a flag as a workbook has them, nothing, or several texts.
Cell = str | int | float | bool | list[str] | None

MOST_COLUMNS = 500
MOST_ROWS = 1_000_000
#: The most characters of one row.
LONGEST_ROW = 256 * 1024


@dataclass(frozen=True, slots=True)
class Row:
    """`number` counts as the file does, from 1. `problem` says why it could not be read."""

    number: int
    cells: tuple[Cell, ...] = ()
    problem: str = ""

    @property
    def empty(self) -> bool:
        """Whether there is nothing in it."""
        return not self.problem and not any(c not in (None, "", []) for c in self.cells)
