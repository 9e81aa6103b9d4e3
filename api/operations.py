"""For whoever runs the service: is it alive, is it ready, and how is it doing?"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from flask import Blueprint, Response, current_app, jsonify
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import clock, db
from core.errors import PortariaError, Unavailable
from intake.mailbox import desk, report
from models.alert import Alert
from models.inbound import EventState, InboundEvent
from models.lead import OPEN, Lead
from models.rule import StepRow
from models.source import Source
from rules import runs

operations = Blueprint("operations", __name__)

_COUNTED = (EventState.RECEIVED, EventState.FAILED, EventState.QUARANTINED)


@operations.get("/healthz")
def healthz() -> Response:
    """Whether the process is alive; asks nothing of anything else."""
    return jsonify(status="alive")


@dataclass
class Troubles:
    """The parts without which a process cannot do its work, and those without which it is slower."""

    missing: dict[str, str] = field(default_factory=dict)
    slow: dict[str, str] = field(default_factory=dict)


@operations.get("/readyz")
def readyz() -> Response:
    """Whether the process can do its work; 503 names each part that is missing, and why.

    Without its broker, or with a backlog, it still takes in all that comes: it is degraded, and ready.
    """
    try:
        found: Troubles = current_app.extensions["ready"]()
    except PortariaError as error:
        found = Troubles({"service": str(error)})
    status = "not ready" if found.missing else "degraded" if found.slow else "ready"
    told = {"status": status, "missing": found.missing, "slow": found.slow}
    made = jsonify({name: value for name, value in told.items() if value})
    made.status_code = 503 if found.missing else 200
    return made


@operations.get("/metrics")
def metrics() -> Response:
    """What the processes counted, and how the database stands now, in Prometheus's text format."""
    processes: Collector = REGISTRY
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        processes = CollectorRegistry()
        MultiProcessCollector(processes)  # type: ignore[no-untyped-call]
    try:
        with db.reading() as session:
            standing = _standing(session)
    except Unavailable:
        standing = [_gauge("portaria_database_up", "Whether the database answers", 0)]
    text = generate_latest(processes) + generate_latest(_Standing(standing))
    return Response(text, content_type=CONTENT_TYPE_LATEST)


class _Standing(Collector):
    """What was measured just now."""

    def __init__(self, measured: Iterable[Metric]) -> None:
        self._measured = measured

    def collect(self) -> Iterable[Metric]:
        return self._measured


def _standing(session: Session) -> list[Metric]:
    now = clock.now()
    rows = session.execute(
        select(InboundEvent.state, func.count())
        .where(InboundEvent.state.in_(_COUNTED))
        .group_by(InboundEvent.state)
    )
    counted: dict[EventState, int] = {state: number for state, number in rows}  # noqa: C416  a result is no mapping
    oldest = session.scalar(
        select(func.min(InboundEvent.received_at)).where(InboundEvent.state == EventState.RECEIVED)
    )
    unowned = session.scalar(
        select(func.count()).select_from(Lead).where(Lead.owner_id.is_(None), Lead.status.in_(OPEN))
    )
    due = session.scalar(select(func.count()).select_from(StepRow).where(runs.due(now)))
    events = GaugeMetricFamily("portaria_events", "Events that are not done with", labels=["state"])
    for state in _COUNTED:
        events.add_metric([state.value], counted.get(state, 0))
    return [
        _gauge("portaria_database_up", "Whether the database answers", 1),
        events,
        _gauge(
            "portaria_oldest_waiting_event_age_seconds",
            "Age of the oldest event that waits to be processed; 0 where none does",
            max((now - oldest).total_seconds(), 0) if oldest else 0,
        ),
        *_ways_in(session, now),
        _gauge("portaria_leads_without_owner", "Open leads that nobody has", unowned or 0),
        _gauge("portaria_steps_due", "Deferred steps that are due and in nobody's hands", due or 0),
    ]


def _ways_in(session: Session, now: datetime) -> list[Metric]:
    """What is not as it should be with the ways in; how each mailbox stands."""
    alerts = GaugeMetricFamily(
        "portaria_alerts", "Alerts that are open", labels=["kind", "channel", "source"]
    )
    for kind, channel, key in session.execute(
        select(Alert.kind, Source.channel, Source.key)
        .join(Source, Source.id == Alert.source_id)
        .where(Alert.open_key.is_not(None))
    ):
        alerts.add_metric([kind, channel.value, key], 1)
    watched = GaugeMetricFamily("portaria_mailbox_watched", "Whether it is watched", labels=["mailbox"])
    age = GaugeMetricFamily(
        "portaria_mailbox_last_message_age_seconds", "Since its last new message", labels=["mailbox"]
    )
    for one in report.of_all(session):
        watched.add_metric([one.key], one.state == desk.WATCHING)
        if one.last_message_at is not None:
            age.add_metric([one.key], max((now - one.last_message_at).total_seconds(), 0))
    return [alerts, watched, age]


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(name, about, value=value)
