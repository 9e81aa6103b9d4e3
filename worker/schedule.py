"""The scheduler's table: what is done regularly, by whichever scheduler leads."""

from __future__ import annotations

import threading
from collections.abc import Callable

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from core import db
from core.errors import Unavailable
from core.logs import logger
from intake import lease
from worker import (
    alerts,
    call_outcomes,
    clockwork,
    deal_templates,
    dialling,
    duplicates,
    filing,
    idleness,
    line_checks,
    lost_calls,
    reconciling,
    recordings,
    reminders,
    reporting,
    retention,
    subscriptions,
    webhooks,
)
from worker.sweeper import Sweeper

log = logger(__name__)
NAME = "scheduler"


class Leader:
    """Keeps or seeks the scheduler's lease; only the one who has it works."""

    def __init__(self) -> None:
        self.holder = lease.new_holder()
        self.leads = False

    def renew(self) -> None:
        """Says once more that we are here, or tries to take over from one who is not."""
        try:
            with db.unit_of_work() as session:
                led, self.leads = self.leads, lease.hold(session, NAME, self.holder) is not None
        except Unavailable:
            led, self.leads = self.leads, False
        if led != self.leads:
            log.info("scheduler.leads" if self.leads else "scheduler.follows")

    def resign(self) -> None:
        """Lets the next one lead at once."""
        if self.leads:
            self.leads = False
            with db.unit_of_work() as session:
                lease.release(session, NAME, self.holder)

    def only(self, job: Callable[[], object]) -> Callable[[], None]:
        """The job, done only while we lead; a database that is away makes it wait for its next turn."""

        def led() -> None:
            if self.leads:
                try:
                    job()
                except Unavailable as error:
                    log.warning("scheduler.database_unavailable", error=str(error))

        return led


def run(stop: threading.Event) -> None:
    """Runs the table until `stop` is set."""
    leader = Leader()
    sweeper = Sweeper()
    # seconds between, job
    table: tuple[tuple[float, Callable[[], object]], ...] = (
        (1.0, sweeper.events),
        (0.5, sweeper.steps),
        (1.0, sweeper.mails),
        (5.0, filing.lay_down),
        (1.0, sweeper.calls),
        (5.0, sweeper.recordings),
        (5.0, sweeper.left_files),
        (5.0, sweeper.imports),
        (1.0, sweeper.webhooks),
        (30.0, lost_calls.close),
        (30.0, dialling.give_up),
        (5.0, call_outcomes.tell),
        (3600.0, recordings.forget),
        (3600.0, retention.forget),
        (60.0, reconciling.ask),
        (60.0, line_checks.plan),
        (5.0, sweeper.lines),
        (60.0, subscriptions.plan),
        (5.0, sweeper.subscriptions),
        (60.0, alerts.look),
        (600.0, webhooks.forget),
        (1.0, clockwork.activities),
        (1.0, deal_templates.make_due),
        (1.0, reminders.tell),
        (5.0, reporting.send_due),
        (1.0, clockwork.cron_rules),
        (1.0, clockwork.first_answers),
        (2.0, clockwork.waiting_leads),
        (10.0, duplicates.sweep),
        (600.0, idleness.leads),
        (600.0, idleness.deals),
        (3600.0, clockwork.forget_traces),
        (3600.0, clockwork.forget_prints),
        (3600.0, clockwork.forget_notifications),
    )
    leader.renew()
    scheduler = BackgroundScheduler(
        executors={"default": ThreadPoolExecutor(4)},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        timezone="UTC",
    )
    scheduler.add_job(leader.renew, "interval", seconds=lease.TERM.total_seconds() / 3)
    for seconds, job in table:
        scheduler.add_job(leader.only(job), "interval", seconds=seconds)
    scheduler.start()
    stop.wait()
    scheduler.shutdown(wait=True)
    try:
        leader.resign()
    except Unavailable:
        log.warning("scheduler.resign_failed")
