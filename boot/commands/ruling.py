"""Commands about the rules: check a file, try it on past leads, explain, and go back to an older version."""

from __future__ import annotations

import json
from pathlib import Path

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from boot.commands import starting
from boot.commands.configuration import apply_file, begin
from core import db
from core.errors import Invalid, NotFound
from crm.workspace import load
from models.contact import Contact
from models.deal import Deal
from models.lead import Lead
from models.rule import RulesetVersion
from models.workspace import WorkspaceRow
from rules import storms
from rules.backtest import as_page, as_table, backtest
from rules.difference import difference
from rules.explanation import explain as explain_lead
from rules.subject import Subject
from workspace import document
from workspace.apply import apply, tests_of
from workspace.check import check

_LONGEST = 3650


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
@click.argument("lead", type=int, required=False)
@click.option("--deal", type=int, help="Of this deal instead of a lead.")
@click.option("--contact", type=int, help="Of this contact instead of a lead.")
@click.option("--rule", help="Only this rule.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def explain(lead: int | None, deal: int | None, contact: int | None, rule: str | None, as_json: bool) -> None:
    """Say why a lead went where it went: each rule, each part of its condition, each step.

    \b
    Example: portaria rules explain 42 --rule "Enterprise enquiries"
    """
    begin()
    kinds: tuple[tuple[type[Subject], int | None], ...] = ((Lead, lead), (Deal, deal), (Contact, contact))
    said = [(kind, number) for kind, number in kinds if number is not None]
    if len(said) != 1:
        raise Invalid("say one: a lead's number, --deal NUMBER or --contact NUMBER")
    kind, number = said[0]
    with db.reading() as session:
        found = explain_lead(session, number, of=kind, rule=rule)
        zone = load(session).zone
    if found is None:
        raise NotFound(f"there is no {kind.__tablename__} {number}")
    if as_json:
        click.echo(json.dumps([e.as_data() for e in found], indent=2, default=str))
        return
    for entry in found:
        for line in entry.as_text(zone):
            click.echo(line)
    if not found:
        click.echo(f"No rule was looked at for this {kind.__tablename__}.")


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


@rules.command("resume")
@click.argument("rule")
def resume(rule: str) -> None:
    """Let a rule go on that is held back because it ran too often.

    \b
    Example: portaria rules resume "Tell the CRM"
    """
    begin()
    with db.unit_of_work() as session:
        count = storms.resume(session, rule, by="command line")
        held = sorted({one.row.rule for one in storms.open_storms(session)})
    if not count:
        others = f"; held back are: {', '.join(held)}" if held else "; no rule is"
        raise NotFound(f"'{rule}' is not held back{others}")
    click.echo(f"It may run again, on {count} {'element' if count == 1 else 'elements'}.")


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


rules.add_command(starting.run_rule)
COMMANDS = (rules,)
