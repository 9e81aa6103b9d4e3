"""A workspace with people and leads, as rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from console.auth import set_password
from core.ids import new_id
from models import (
    Activity,
    ActivityState,
    Call,
    CallResult,
    Channel,
    ContactPoint,
    Lead,
    LeadStatus,
    Person,
    PointKind,
    Role,
    RulesetVersion,
    Run,
    RunState,
    Source,
    StepRow,
    StepState,
    TimelineEntry,
    Trace,
    User,
    WorkspaceRow,
)

NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)  # a Monday, 12:00 in São Paulo
PASSWORD = "correct horse battery"
_SETTINGS = {
    "name": "Acme",
    "country": "BR",
    "timezone": "America/Sao_Paulo",
    "locale": "pt_BR",
    "currency": "BRL",
}


def workspace(session: Session) -> dict[str, User]:
    """Who we are, three users with the same password, and three ways in."""
    session.add(WorkspaceRow(id=1, version=1, settings=_SETTINGS, environment=""))
    people = {
        key: User(email=f"{key}@acme.test", name=name, role=role, session_epoch=0)
        for key, name, role in (
            ("ana", "Ana Lima", Role.AGENT),
            ("bruno", "Bruno Reis", Role.AGENT),
            ("clara", "Clara Nunes", Role.ADMIN),
        )
    }
    session.add_all(people.values())
    set_password(session, people["ana"], PASSWORD)
    for key in ("bruno", "clara"):
        people[key].password_hash = people["ana"].password_hash
        people[key].session_epoch = 1
    session.add_all(
        [
            Source(channel=Channel.FORM, key="contact", name="Website contact", settings={"key": "contact"}),
            Source(channel=Channel.EMAIL, key="sales", name="Sales mailbox", settings={}),
            Source(channel=Channel.CALL, key="main", name="Main line", settings={}),
            RulesetVersion(rules=[], content_hash="0" * 64, published_at=NOW, published_by="test"),
        ]
    )
    session.flush()
    return people


def lead(session: Session, *, source_id: int = 1, ago: timedelta = timedelta(0), **changes: Any) -> Lead:
    """A lead with its person and contact points; `ago` is how long before NOW it came."""
    source = session.get_one(Source, source_id)
    person = Person()
    session.add(person)
    session.flush()
    values: dict[str, Any] = {
        "name": "Maria Souza",
        "email": None,
        "phone": None,
        "channel": source.channel,
        "created_at": NOW - ago,
        "updated_at": NOW - ago,
        "last_inbound_at": NOW - ago,
    } | changes
    values.setdefault("title", values["name"] or values["email"] or values["phone"])
    made = Lead(source_id=source.id, person_id=person.id, **values)
    session.add(made)
    for kind, value in ((PointKind.EMAIL, made.email), (PointKind.PHONE, made.phone)):
        if value:
            session.add(ContactPoint(kind=kind, value=value.lower(), person_id=person.id))
    session.flush()
    return made


def activity(session: Session, of: Lead, *, due: timedelta, **changes: Any) -> Activity:
    """A call to make, due so long after NOW."""
    values: dict[str, Any] = {
        "type": "call",
        "subject": f"Call {of.name}",
        "due_at": NOW + due,
        "owner_id": of.owner_id,
        "state": ActivityState.PLANNED,
        "created_at": of.created_at,
    } | changes
    made = Activity(lead_id=of.id, **values)
    session.add(made)
    session.flush()
    return made


def entry(
    session: Session, of: Lead, kind: str, summary: str, *, after: timedelta = timedelta(0), **changes: Any
) -> TimelineEntry:
    """An entry on the timeline, so long after the lead came."""
    values: dict[str, Any] = {"actor": "service", "data": {}} | changes
    made = TimelineEntry(lead_id=of.id, at=of.created_at + after, kind=kind, summary=summary, **values)
    session.add(made)
    session.flush()
    return made


def call(session: Session, of: Lead, **changes: Any) -> Call:
    """A missed call of the lead's person on the main line."""
    values: dict[str, Any] = {
        "provider": "twilio",
        "group_id": new_id(),
        "provider_call_id": new_id(),
        "heard_at": of.created_at,
        "direction": "inbound",
        "from_number": of.phone,
        "to_number": "+551140000000",
        "result": CallResult.MISSED,
        "ring_seconds": 22,
        "talk_seconds": 0,
        "created_at": of.created_at,
    } | changes
    made = Call(source_id=3, lead_id=of.id, **values)
    session.add(made)
    session.flush()
    return made


def ringing(session: Session, number: str, *, hint: str | None = None, **changes: Any) -> Call:
    """A call of this number that rings just now on the main line."""
    facts = {"ringing": {"caller_name": hint}} if hint else {}
    values: dict[str, Any] = {"started_at": NOW, "created_at": NOW, "heard_at": NOW, "facts": facts} | changes
    made = Call(
        source_id=3,
        provider="twilio",
        group_id=new_id(),
        provider_call_id=new_id(),
        direction="inbound",
        from_number=number,
        to_number="+551140000000",
        **values,
    )
    session.add(made)
    session.flush()
    return made


def traced(session: Session, of: Lead) -> Trace:
    """Why: a rule that matched, with its steps; one that did not; one unclear; one held back."""
    run = Run(
        ruleset_version_id=1,
        rule="Enterprise enquiries",
        lead_id=of.id,
        state=RunState.ACTIVE,
        effect_key=new_id(),
        depth=0,
        started_at=of.created_at,
    )
    session.add(run)
    session.flush()
    steps: tuple[tuple[str, StepState, str | None, int], ...] = (
        ("assign", StepState.DONE, "Assigned to Ana Lima: named by the rule", 1),
        ("schedule", StepState.DONE, f"Call planned for 2026-11-23 15:15 UTC: Call {of.name}", 1),
        ("send_email", StepState.READY, "the mail server said: 451 try again later", 2),
    )
    for place, (kind, state, result, attempts) in enumerate(steps):
        session.add(
            StepRow(
                run_id=run.id,
                path=f"{place:03}",
                kind=kind,
                settings={},
                state=state,
                result=result,
                attempts=attempts,
                due_at=of.created_at + timedelta(minutes=5),
                ended_at=of.created_at if state is StepState.DONE else None,
            )
        )
    rules: list[dict[str, Any]] = [
        {
            "rule": "Enterprise enquiries",
            "matched": True,
            "condition": 'lead.channel == "form" && lead.fields.employees >= 200',
            "parts": [
                {"part": 'lead.channel == "form"', "result": True, "saw": {"lead.channel": "form"}},
                {
                    "part": "lead.fields.employees >= 200",
                    "result": True,
                    "saw": {"lead.fields.employees": 450},
                },
            ],
            "planned": [
                "Assign to ana@acme.test",
                "Plan a call in 15 business minutes",
                "Send welcome to lead",
            ],
            "run": run.id,
        },
        {
            "rule": "The others to the team",
            "matched": False,
            "condition": "!has(lead.fields.employees) || lead.fields.employees < 200",
            "parts": [
                {"part": "has(lead.fields.employees)", "result": True, "saw": {"lead.fields.employees": 450}},
                {
                    "part": "lead.fields.employees < 200",
                    "result": False,
                    "saw": {"lead.fields.employees": 450},
                },
            ],
        },
        {
            "rule": "Partners",
            "matched": False,
            "condition": 'lead.fields.partner == "yes"',
            "parts": [
                {
                    "part": 'lead.fields.partner == "yes"',
                    "result": None,
                    "saw": {"lead.fields.partner": None},
                    "problem": "partner is empty",
                }
            ],
        },
        {
            "rule": "Tell everybody",
            "matched": True,
            "condition": None,
            "parts": [],
            "stopped": "not started: rules set off rules 5 deep, 12 runs",
        },
    ]
    made = Trace(
        lead_id=of.id,
        event_id=new_id(),
        trigger="lead.created",
        at=of.created_at,
        ruleset_version_id=1,
        rules=rules,
    )
    session.add(made)
    session.flush()
    return made


def set_status(session: Session, of: Lead, status: LeadStatus, *, into: Lead | None = None) -> None:
    """Moves a lead on."""
    of.status = status
    of.merged_into_id = into.id if into else None
    session.flush()
