"""Commands for the operator: what failed, trying it again, and whether all is well."""

from __future__ import annotations

import json
import shutil
from uuid import UUID

import click
from sqlalchemy import func, select

from boot import process, schema
from boot.commands.configuration import begin
from core import clock, db, queue
from core.errors import Invalid, NotFound
from core.settings import settings
from intake import claims, journal, reconciliation, sources, subscriptions
from intake.mailbox import report
from models.alert import Alert
from models.inbound import EventState, InboundEvent
from models.lease import Lease
from models.source import Channel, Source
from rules import redelivery
from worker.schedule import NAME as SCHEDULER

_REPLAYABLE = (EventState.FAILED, EventState.IGNORED, EventState.QUARANTINED)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--limit", default=50, show_default=True, help="Most that are shown, newest first.")
def failures(as_json: bool, limit: int) -> None:
    """Show the events that could not be processed, and why.

    \b
    Example: portaria failures --limit 10
    """
    begin()
    with db.reading() as session:
        rows = session.execute(
            select(
                InboundEvent.id,
                Source.key,
                InboundEvent.received_at,
                InboundEvent.attempts,
                InboundEvent.error,
            )
            .join(Source, Source.id == InboundEvent.source_id)
            .where(InboundEvent.state == EventState.FAILED)
            .order_by(InboundEvent.id.desc())
            .limit(limit)
        ).all()
    if as_json:
        click.echo(json.dumps([dict(row._mapping) for row in rows], default=str))
        return
    for row in rows:
        click.echo(f"{row.id}  {row.received_at:%Y-%m-%d %H:%M:%S}  {row.key}  {row.attempts}x  {row.error}")
    if not rows:
        click.echo("No failures.")


@click.command()
@click.argument("event_ids", nargs=-1)
@click.option("--failed", is_flag=True, help="Every event that failed.")
def replay(event_ids: tuple[str, ...], failed: bool) -> None:
    """Process events again that failed, were ignored or were quarantined.

    \b
    Example: portaria replay --failed
    """
    begin()
    if bool(event_ids) == failed:
        raise Invalid("name the events to replay, or say --failed")
    ids = [_event_id(written) for written in event_ids]
    with db.unit_of_work() as session:
        chosen = select(InboundEvent).with_for_update()
        chosen = (
            chosen.where(InboundEvent.state == EventState.FAILED)
            if failed
            else chosen.where(InboundEvent.id.in_(ids))
        )
        found = session.scalars(chosen).all()
        if not failed and len(found) < len(set(event_ids)):
            raise NotFound("there is no such event")
        again = [e for e in found if e.state in _REPLAYABLE]
        for event in again:
            journal.replay(session, event)
    click.echo(f"{len(again)} of {len(found)} events are processed again.")


def _event_id(written: str) -> str:
    try:
        return str(UUID(written))
    except ValueError:
        raise NotFound(f"'{written}' is no event's id") from None


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(as_json: bool) -> None:
    """Look at everything that can be wrong, and say what to do about it.

    \b
    Example: portaria doctor
    """
    found = dict(_looks())
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        for name, trouble in found.items():
            click.echo(f"{'✗' if trouble else '✓'} {name}" + (f": {trouble}" if trouble else ""))
    if any(found.values()):
        raise Invalid(f"{sum(1 for t in found.values() if t)} of {len(found)} looks found something")


def _looks() -> list[tuple[str, str]]:
    here = settings()
    database = process.begin("command", pool=2, rings=False)
    looks = []
    current, head = schema.current(database), schema.head()
    looks.append(
        ("schema", "" if current == head else f"at {current}, needs {head}: run 'portaria db upgrade'")
    )
    url = process.broker_url(here)
    running = bool(url) and queue.answers(url)
    looks.append(
        ("broker", "" if running else "does not answer: is 'portaria up' running, is BROKER_URL right?")
    )
    free = shutil.disk_usage(here.data_dir).free // 2**20
    looks.append(("disk", "" if free > 500 else f"{free} MiB are left at {here.data_dir}"))
    if current == head:
        looks += _looks_inside()
    return looks


def _looks_inside() -> list[tuple[str, str]]:
    now = clock.now()
    with db.reading() as session:
        lease = session.get(Lease, SCHEDULER)
        waiting = session.scalar(select(func.min(InboundEvent.received_at)).where(claims.waiting(now)))
        failed = session.scalar(
            select(func.count()).select_from(InboundEvent).where(InboundEvent.state == EventState.FAILED)
        )
        known = list(sources.book().sources.values())
        quiet = session.execute(
            select(Source.key, Alert.words)
            .join(Source, Source.id == Alert.source_id)
            .where(Alert.open_key.is_not(None), Alert.kind == "silence")
        ).all()
        states = {(Channel.EMAIL, one.key): one.trouble for one in report.of_all(session)}
        off = redelivery.disabled(session)
        ending = {
            (Channel.CALL, line.key): f"the subscription {stands.words}"
            for line in reconciliation.lines(session)
            if (stands := subscriptions.standing(session, line)) is not None and stands.error
        }
    leads = lease is not None and lease.expires_at > now
    age = (now - waiting).total_seconds() if waiting else 0
    found = [
        ("scheduler", "" if leads else "none leads: is a scheduler running?"),
        ("backlog", "" if age < 60 else f"an event has waited {age:.0f} s: are workers running?"),
        ("failures", f"{failed} events failed: see 'portaria failures'" if failed else ""),
    ]
    found += [(f"silence of {key}", words) for key, words in quiet]
    found += [(f"webhook {key}", f"is disabled: {why}") for key, why in off.items()]
    states |= ending
    found += [(f"{s.channel.value} {s.key}", s.problem or states.get((s.channel, s.key), "")) for s in known]
    return found


COMMANDS = (failures, replay, doctor)
