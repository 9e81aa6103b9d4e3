"""Commands that make two leads, contacts or companies one, and two again."""

from __future__ import annotations

import json

import click
from sqlalchemy import select

from boot.commands.configuration import begin
from core import db
from core.errors import Invalid, NotFound
from core.ids import new_id
from crm import duplicate_pairs, merging, workspace
from models.duplicate import DuplicatePair, PairState
from models.lead import Lead
from models.merge import Merge
from rules import engine
from worker import duplicates as sweeping

_BY = "command line"


@click.group()
def merges() -> None:
    """What was made one, and may be made two again."""


@merges.command("make")
@click.argument("kind", type=click.Choice(list(merging.TABLES)))
@click.argument("survivor", type=click.IntRange(min=1))
@click.argument("other", type=click.IntRange(min=1))
@click.option("--choose", multiple=True, metavar="FIELD=WHOSE", help="survivor, other; of tags also both.")
@click.option("--why", default="", help="Kept with it.")
@click.option("--two-people", is_flag=True, help="Of leads: their addresses stay two people's.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def make(
    kind: str, survivor: int, other: int, choose: tuple[str, ...], why: str, two_people: bool, as_json: bool
) -> None:
    """Make OTHER part of SURVIVOR, with all that hangs on it.

    \b
    Example: portaria merges make contact 12 15 --choose name=other --choose tags=both
    """
    chosen = dict(part.partition("=")[::2] for part in choose)
    if wrong := [name for name, whose in chosen.items() if not whose]:
        raise Invalid(f"--choose {wrong[0]} says not whose: write {wrong[0]}=other")
    begin()
    with db.unit_of_work() as session:
        one, two = merging.pair(session, merging.TABLES[kind], survivor, other)
        made = merging.merge(session, one, two, by=_BY, why=why, choose=chosen, same_person=not two_people)
        if isinstance(one, Lead):
            here = workspace.load(session)
            engine.react(session, merging.told(one, made), workspace=here, event_id=new_id())
    if as_json:
        click.echo(json.dumps(_told(made), default=str))
    else:
        click.echo(f"Merge {made.id}: {kind} {other} is part of {kind} {survivor} now.")


@merges.command("list")
@click.option("--limit", default=50, show_default=True, help="Most that are shown, newest first.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_merges(limit: int, as_json: bool) -> None:
    """Show what was merged.

    \b
    Example: portaria merges list
    """
    begin()
    with db.reading() as session:
        rows = session.scalars(select(Merge).order_by(Merge.id.desc()).limit(limit)).all()
    if as_json:
        click.echo(json.dumps([_told(row) for row in rows], default=str))
        return
    for row in rows:
        end = f"undone {row.undone_at:%Y-%m-%d %H:%M}" if row.undone_at else "stands"
        what = f"{row.kind} {row.merged_id} → {row.survivor_id}"
        click.echo(f"{row.id}  {row.at:%Y-%m-%d %H:%M}  {what}  {end}  {row.by}")
    if not rows:
        click.echo("Nothing was merged.")


@merges.command("undo")
@click.argument("number", type=click.IntRange(min=1))
def undo(number: int) -> None:
    """Make two of a merge again, by its number.

    \b
    Example: portaria merges undo 3
    """
    begin()
    with db.unit_of_work() as session:
        made = session.get(Merge, number, with_for_update=True)
        if made is None:
            raise NotFound(f"there is no merge {number}")
        merging.split(session, made, by=_BY)
    click.echo(f"{made.kind.capitalize()} {made.survivor_id} and {made.merged_id} are two again.")


def _told(row: Merge) -> dict[str, object]:
    names = ("id", "kind", "survivor_id", "merged_id", "by", "why", "at", "changed", "undone_at", "undone_by")
    return {name: getattr(row, name) for name in names}


@click.group()
def duplicates() -> None:
    """What may be there twice."""


@duplicates.command("sweep")
@click.option("--all", "everything", is_flag=True, help="Also what was looked at before.")
def sweep(everything: bool) -> None:
    """Look now for what may be there twice; the scheduler does so by itself.

    \b
    Example: portaria duplicates sweep --all
    """
    begin()
    if everything:
        with db.unit_of_work() as session:
            duplicate_pairs.begin_anew(session)
    for kind, swept in sweeping.sweep(most=None).items():
        click.echo(f"{kind}: {swept.looked_at} looked at, {swept.found} pairs found")


@duplicates.command("list")
@click.option("--limit", default=50, show_default=True, help="Most that are shown, newest first.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_duplicates(limit: int, as_json: bool) -> None:
    """Show the open pairs.

    \b
    Example: portaria duplicates list
    """
    begin()
    chosen = duplicate_pairs.standing().where(DuplicatePair.state == PairState.OPEN)
    with db.reading() as session:
        rows = session.scalars(chosen.order_by(DuplicatePair.id.desc()).limit(limit)).all()
    names = ("id", "kind", "first_id", "second_id", "score", "why")
    if as_json:
        click.echo(json.dumps([{name: getattr(row, name) for name in names} for row in rows]))
        return
    for row in rows:
        click.echo(f"{row.id}  {row.kind} {row.first_id} and {row.second_id}  {row.score} %  {row.why}")
    if not rows:
        click.echo("Nothing is there twice.")


@duplicates.command("dismiss")
@click.argument("number", type=click.IntRange(min=1))
def dismiss(number: int) -> None:
    """Note that the two of a pair are not one.

    \b
    Example: portaria duplicates dismiss 7
    """
    begin()
    with db.unit_of_work() as session:
        pair = session.get(DuplicatePair, number, with_for_update=True)
        if pair is None:
            raise NotFound(f"there is no pair {number}")
        duplicate_pairs.dismiss(session, pair, by=_BY)
    click.echo(f"{pair.kind.capitalize()} {pair.first_id} and {pair.second_id} stay two.")


COMMANDS = (merges, duplicates)
