"""The CRM's long work: how fast a file of a hundred thousand rows becomes leads, and in how much memory; and
what is read of a million leads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import reads
from bench.report import Figure, Report
from bench.store import Store
from tests.servers.service import PORTARIA

#: Of a file of leads; how fast each goes in does not change with how many there are.
_ROWS, _QUICK_ROWS = 20_000, 2_000
_ROWS_PER_SECOND, _MOST_MIB = 500.0, 300.0
_WORKSPACE = "workspace: {name: Bench, country: BR}\nusers: [{email: ana@acme.test, name: Ana}]\n"


def measure(report: Report, store: Store, *, quick: bool) -> None:
    """Adds the figures of one database: what is read, and what is brought in."""
    reads.measure(report, store, quick=quick)
    imports(report, store, quick=quick)


def imports(report: Report, store: Store, *, quick: bool) -> None:
    """Adds how fast files go in."""
    rows = _QUICK_ROWS if quick else _ROWS
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "bench"
        with store.fresh(folder):
            folder.mkdir(exist_ok=True)
            run = _Commands(folder, store)
            run("db", "upgrade")
            (folder / "workspace.yaml").write_text(_WORKSPACE)
            run("apply", "workspace.yaml")
            for kind in ("CSV", "XLSX"):
                file = _file(folder, kind, rows)
                seconds, counts, mib = run.imports(file)
                if counts["created"] != rows:
                    raise AssertionError(f"of {rows} rows {counts} came of it")
                report.add(*_figures(store, kind, rows, seconds, mib))


class _Commands:
    """The command line, in the folder and on the store."""

    def __init__(self, folder: Path, store: Store) -> None:
        self._folder = folder
        kept = {k: os.environ[k] for k in ("PATH", "HOME", "LANG") if k in os.environ}
        data = {"PORTARIA_DATA_DIR": str(folder / "var")}
        self._environment = {**kept, **data, **store.environment()}

    def __call__(self, *arguments: str) -> str:
        done = subprocess.run(
            [PORTARIA, *arguments], cwd=self._folder, env=self._environment, capture_output=True, text=True
        )
        if done.returncode:
            raise AssertionError(done.stderr)
        return done.stdout

    def imports(self, file: Path) -> tuple[float, dict[str, int], float]:
        """Seconds, what became of the rows, and the most memory in MiB that the process held."""
        script = (
            "import resource, subprocess, sys, json;"
            "done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, check=True);"
            "most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss;"
            "print(json.dumps({**json.loads(done.stdout), 'kib': most}))"
        )
        begin = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", script, PORTARIA, "import", str(file), "--owner", "Ana", "--json"],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=True,
        )
        told = json.loads(done.stdout)
        return time.perf_counter() - begin, told, told["kib"] / 1024


def _file(folder: Path, kind: str, rows: int) -> Path:
    head = ["Name", "Email", "Phone", "Company", "Employees", "City", "Notes"]
    tag = kind.lower()

    def row(n: int) -> list[str]:
        phone = f"+55119{60_000_000 + n + (10_000_000 if kind == 'XLSX' else 0)}"
        note = "Asked for a quote at the fair"
        return [
            f"Person {n}",
            f"p{n}.{tag}@client.test",
            phone,
            f"Company {n % 997}",
            str(n % 500),
            "Rio",
            note,
        ]

    file = folder / f"leads.{tag}"
    if kind == "CSV":
        with file.open("w") as written:
            written.writelines(",".join(cells) + "\n" for cells in [head, *map(row, range(rows))])
        return file
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet("Leads")
    for cells in [head, *map(row, range(rows))]:
        sheet.append(cells)
    book.save(file)
    return file


def _figures(store: Store, kind: str, rows: int, seconds: float, mib: float) -> list[Figure]:
    area, speed = f"crm, {store.name}", rows / seconds
    return [
        Figure(
            area,
            f"{rows} rows of {kind} become leads, without rules",
            speed,
            "rows/s",
            target=f"≥ {_ROWS_PER_SECOND:.0f}",
            met=speed >= _ROWS_PER_SECOND,
        ),
        Figure(
            area,
            f"most memory of the process that imports {kind}",
            mib,
            "MiB",
            target=f"≤ {_MOST_MIB:.0f}",
            met=mib <= _MOST_MIB,
        ),
    ]
