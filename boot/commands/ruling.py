"""Commands about the rules: check a file, try it on past leads, explain, and go back to an older version."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from boot.commands.configuration import apply_file, begin
from core import db
from core.errors import Invalid, NotFound
from core.ids import new_id
from crm.happening import Happening
from crm.workspace import load
from models.lead import OPEN, Lead
from models.rule import RulesetVersion
from models.workspace import WorkspaceRow
from rules import engine, facts, surroundings
from rules.backtest import as_page, as_table, backtest
from rules.condition import Condition
from rules.difference import difference
from rules.explanation import explain as explain_lead
from rules.vocabulary import TRIGGERS
from workspace import document
from workspace.apply import apply, tests_of
from workspace.check import check

_LONGEST = 3650
_CHUNK = 500


@click.group("rules")
def rules() -> None:
    """The rules: check, try, explain, and go back."""


@rules.command("check")
@click.argument("file", type=click.Path(path_type=Path))
def check_rules(file: Path) -> None:
    """Find mistakes in a workspace file, and carry out the tests of its rules, without changing anything.

    \b
    Example: portaria rules check workspace.yaml
    """
    begin()
    apply_file(file, dry_run=True)
    values = document.read(file).values
    tried = f"{len(tests_of(values))} tests came out as expected"
    click.echo(f"{len(values.get('rules') or [])} rules, no mistakes; {tried}.")


@rules.command("explain")
@click.argument("lead", type=int)
@click.option("--rule", help="Only this rule.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def explain(lead: int, rule: str | None, as_json: bool) -> None:
    """Say why a lead went where it went: each rule, each part of its condition, each step.

    \b
    Example: portaria rules explain 42 --rule "Enterprise enquiries"
    """
    begin()
    with db.reading() as session:
        found = explain_lead(session, lead, rule=rule)
        zone = load(session).zone
    if found is None:
        raise NotFound(f"there is no lead {lead}")
    if as_json:
        click.echo(json.dumps([e.as_data() for e in found], indent=2, default=str))
        return
    for entry in found:
        for line in entry.as_text(zone):
            click.echo(line)
    if not found:
        click.echo("No rule was looked at for this lead.")


@rules.command("backtest")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--days", type=click.IntRange(1, _LONGEST), default=30, show_default=True, help="How far to look back."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--page", type=click.Path(path_type=Path), help="Write a page to this file.")
def backtest_rules(file: Path, days: int, as_json: bool, page: Path | None) -> None:
    """Try a file's rules on the leads of the last days: who would have gone elsewhere. Nothing is written.

    \b
    Example: portaria rules backtest draft.yaml --days 30
    """
    begin()
    read = document.read(file)
    with db.reading() as session:
        checked = check(session, read)
        if checked.file.rules is None:
            raise Invalid(f"{file}: there are no rules in it")
        found = backtest(session, checked.stored["rules"], days=days)
    if page is not None:
        page.write_text(as_page(found))
        click.echo(f"Written to {page}.", err=as_json)
    if as_json:
        click.echo(json.dumps(found.as_data(), indent=2))
    elif page is None:
        for line in as_table(found):
            click.echo(line)


@rules.command("run")
@click.argument("name")
@click.option(
    "--lead", "lead_ids", type=int, multiple=True, help="Number of a lead; may be said several times."
)
@click.option("--where", help="Condition in CEL: all open leads of which it is true.")
@click.option("--dry-run", is_flag=True, help="Only show which leads.")
def run_rule(name: str, lead_ids: tuple[int, ...], where: str | None, dry_run: bool) -> None:
    """Start a rule on some leads, whatever it waits for; where its own condition is true of them.

    \b
    Example: portaria rules run Nurture --where 'lead.owner == null' --dry-run
    """
    begin()
    if bool(lead_ids) == (where is not None):
        raise Invalid("say which leads: --lead NUMBER, or --where CONDITION")
    chosen = list(lead_ids) if where is None else _matching(where)
    started, reasons = 0, Counter[str]()
    cause = new_id()
    with click.progressbar(chosen, label="Leads", file=sys.stderr) as leads:
        for lead_id in leads:
            why = "it is a dry run" if dry_run else _start(name, lead_id, cause)
            started += why is None
            reasons[why or ""] += 1
    click.echo(f"{started} of {len(chosen)} leads: the rule was started.")
    for why, number in reasons.most_common():
        if why:
            click.echo(f"{number}: {why}")


def _matching(where: str) -> list[int]:
    condition = Condition(where, TRIGGERS["manual"].variables)
    found, last = [], 0
    while True:
        with db.reading() as session:
            here = load(session)
            wanted = (Lead.id > last, Lead.status.in_(OPEN))
            rows = session.scalars(select(Lead).where(*wanted).order_by(Lead.id).limit(_CHUNK)).all()
            for row in rows:
                seen = surroundings.sight(session, row, here, facts.of(Happening("manual", row), here))
                if condition.evaluate(seen)[0]:
                    found.append(row.id)
        if len(rows) < _CHUNK:
            return found
        last = rows[-1].id


def _start(name: str, lead_id: int, cause: str) -> str | None:
    with db.unit_of_work() as session:
        lead = session.get(Lead, lead_id, with_for_update=True)
        if lead is None or lead.merged_into_id is not None:
            return f"there is no lead {lead_id}, or it is part of another one"
        here = load(session)
        return engine.start(session, name, Happening("manual", lead), workspace=here, cause=cause)


@rules.command("versions")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def versions(as_json: bool) -> None:
    """Show the versions that were published: when, by whom, and why.

    \b
    Example: portaria rules versions
    """
    begin()
    with db.reading() as session:
        present = session.get_one(WorkspaceRow, 1).ruleset_version_id
        rows = session.scalars(select(RulesetVersion).order_by(RulesetVersion.id.desc())).all()
    told = [
        {
            "version": row.id,
            "in_force": row.id == present,
            "published_at": row.published_at.isoformat(),
            "published_by": row.published_by,
            "why": row.why,
            "rules": len(row.rules),
        }
        for row in rows
    ]
    if as_json:
        click.echo(json.dumps(told, indent=2))
        return
    for row in rows:
        mark = "*" if row.id == present else " "
        said = f"{row.published_by}: {row.why}" if row.why else row.published_by
        at = f"{row.published_at:%Y-%m-%d %H:%M}"
        click.echo(f"{mark} {row.id:>4}  {at}  {len(row.rules):>4} rules  {said}")
    if not rows:
        click.echo("No rules were published.")


@rules.command("diff")
@click.argument("before", type=int)
@click.argument("after", type=int)
def diff(before: int, after: int) -> None:
    """Say in words what differs between two versions.

    \b
    Example: portaria rules diff 3 4
    """
    begin()
    with db.reading() as session:
        lines = list(difference(_version(session, before).rules, _version(session, after).rules))
    for line in lines or ["Nothing differs."]:
        click.echo(line)


@rules.command("rollback")
@click.argument("number", type=int)
@click.option("--why", default="", help="Why, for whoever looks at the versions.")
def rollback(number: int, why: str) -> None:
    """Publish an older version again, as a new one; its tests must hold today.

    \b
    Example: portaria rules rollback 3 --why "the new rules left leads unassigned"
    """
    begin()
    with db.unit_of_work() as session:
        old = _version(session, number)
        parts = {"rules": old.rules, "tests": old.tests}
        changes = apply(
            session,
            check(session, document.Document(values=parts)),
            by="command line",
            why=why or f"back to version {number}",
        )
    for change in changes:
        click.echo(str(change))
    if not changes:
        click.echo(f"The rules of version {number} are in force already.")


def _version(session: Session, number: int) -> RulesetVersion:
    found = session.get(RulesetVersion, number)
    if found is None:
        raise NotFound(f"there is no version {number} of the rules")
    return found


COMMANDS = (rules,)
