"""`python -m bench`: measures, prints the table, and writes it as JSON where asked to."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

from bench import (
    calls,
    crm,
    drain,
    email_corpus,
    event,
    forms,
    idle,
    intake,
    limits,
    mailbox,
    past,
    reads,
    rules,
)
from bench.load import generator
from bench.postgres_store import Postgres
from bench.report import Report
from bench.sqlite_store import Sqlite
from bench.store import Store

NAMES = ("intake", "forms", "calls", "idle", "drain", "past", "mailbox", "rules", "crm")
#: Parts of `crm`, measured alone where they are named.
PARTS = (*reads.PARTS, "imports")
#: Measures nothing, and is not run with the others: how many mails are understood.
CORPUS = "email-corpus"


def main() -> None:
    """Reads the command line and does what it says."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=main.__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"of {', '.join(NAMES)} (default: all), parts of crm: {', '.join(PARTS)}; or {CORPUS}",
    )
    parser.add_argument("--quick", action="store_true", help="under a minute, rougher")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    parser.add_argument(
        "--postgres", metavar="URL", help="measure on this server too, in a database of its own"
    )
    asked = parser.parse_args()
    if asked.names == [CORPUS]:
        print(email_corpus.table(email_corpus.cases()))
        return
    if unknown := set(asked.names) - {*NAMES, *PARTS}:
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    # So that whatever is running is ended and removed on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    stores: list[Store] = [Sqlite(), *([Postgres(asked.postgres)] if asked.postgres else [])]
    report = Report()
    begin = time.perf_counter()
    others = f"Before it began, other programs kept {limits.busy(1):.0%} of the cores busy"
    names = asked.names or NAMES
    if "rules" in names:
        print("rules …", flush=True)
        rules.measure(report, quick=asked.quick)
        for store in stores:
            print(f"rules on {store.name} …", flush=True)
            event.measure(report, store, quick=asked.quick)
    for store in stores:
        for name in (n for n in names if n != "rules"):
            print(f"{name} on {store.name} …", flush=True)
            if name == "intake":
                with generator() as made:
                    intake.measure(report, store, made, quick=asked.quick)
            elif name == "forms":
                with generator() as made:
                    forms.measure(report, store, made, quick=asked.quick)
            elif name == "crm":
                crm.measure(report, store, quick=asked.quick)
            elif name in reads.PARTS:
                reads.measure(report, store, quick=asked.quick, parts=[name])
            elif name == "imports":
                crm.imports(report, store, quick=asked.quick)
            elif name == "calls":
                with generator() as made:
                    calls.measure(report, store, made, quick=asked.quick)
            elif name == "idle":
                idle.measure(report, store, quick=asked.quick)
            elif name == "past":
                past.measure(report, store, quick=asked.quick)
            elif name == "mailbox":
                if mailbox.present():
                    mailbox.measure(report, store, quick=asked.quick)
                else:
                    report.notes.append("mailbox: not measured, since Dovecot is not installed.")
            else:
                drain.measure(report, store, quick=asked.quick)
    report.notes.append(f"{others}; it took {time.perf_counter() - begin:.0f} s.")
    print("\n" + report.table())
    if asked.json:
        report.write(asked.json)


if __name__ == "__main__":
    main()
