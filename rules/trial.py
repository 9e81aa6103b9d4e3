"""Tries rules on the tests they carry.

The enquiry goes through the very functions that a real one goes through, in a savepoint that is taken
back: nothing of it stays, and nothing is sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock, queue
from core.errors import Invalid
from core.ids import new_id
from core.savepoint import savepoint
from crm import workspace
from crm.capture import capture
from crm.happening import Happening
from crm.submission import Submission
from crm.workspace import WorkspaceSettings
from models.activity import Activity
from models.call import Call, CallResult
from models.lead import Lead
from models.rule import Run, StepRow
from models.source import Channel, Source
from models.user import Team, TeamMember
from rules import engine
from rules.assignment import ladder
from rules.expectation import Expected, Given, RuleTest

_CALLED = {CallResult.ANSWERED: "call.answered"}


class _TakenBack(Exception):
    """Ends a savepoint whose changes are not wanted."""


def differences(session: Session, test: RuleTest) -> list[str]:
    """What came out otherwise than expected under the rules in force; nothing of it stays."""
    given = test.given if isinstance(test.given, list) else [test.given]
    found: list[str] = []
    waiting = queue.taken(session)
    try:
        with savepoint(session):
            here = workspace.load(session)
            lead = None
            for enquiry in given:
                with clock.pretended(enquiry.moment(here.zone)):
                    lead = _arrive(session, enquiry, here)
                    session.flush()
            if lead is not None:
                found = list(_compared(session, lead, test.expect, here))
            raise _TakenBack  # noqa: TRY301  it takes the savepoint back
    except _TakenBack:
        return found
    except Invalid as error:
        return [str(error)]
    finally:
        queue.taken(session)
        for wake in waiting:
            queue.wake(session, wake.actor, wake.row_id)
        session.expire_all()


def _arrive(session: Session, given: Given, here: WorkspaceSettings) -> Lead:
    source = _source(session, given)
    event_id = new_id()
    submission = Submission(
        channel=Channel(given.channel),
        occurred_at=clock.now(),
        emails=(given.email,) if given.email else (),
        phones=(given.phone,) if given.phone else (),
        name=given.name,
        company=given.company,
        title=given.title,
        message=given.message,
        fields=given.fields,
        attribution=given.attribution,
    )
    captured = capture(session, submission, source=source, event_id=event_id, country=here.country)
    happenings = list(captured.happenings)
    if given.channel == "call":
        happenings += _call(session, given, source, captured.lead)
    engine.react(session, happenings, workspace=here, event_id=event_id)
    happened = ladder.catch(session, captured.lead, here)
    engine.react(session, happened, workspace=here, event_id=event_id)
    return captured.lead


def _call(session: Session, given: Given, source: Source, lead: Lead) -> list[Happening]:
    call_id = new_id()
    call = Call(
        source_id=source.id,
        source=source,
        provider="trial",
        group_id=call_id,
        provider_call_id=call_id,
        facts={},
        direction="inbound",
        from_number=lead.phone,
        result=given.result,
        lead_id=lead.id,
        heard_at=clock.now(),
        created_at=clock.now(),
    )
    session.add(call)
    session.flush()
    kinds = [_CALLED.get(given.result, "call.missed"), "call.completed"]
    if given.result is CallResult.VOICEMAIL:
        kinds.append("voicemail.received")
    return [Happening(kind, lead, call=call) for kind in kinds]


def _source(session: Session, given: Given) -> Source:
    channel = Channel(given.channel)
    chosen = select(Source).where(Source.channel == channel, Source.active).order_by(Source.id).limit(1)
    if given.source is not None:
        chosen = chosen.where(Source.key == given.source)
    found = session.scalars(chosen).first()
    if found is not None:
        return found
    if given.source is not None:
        raise Invalid(f"there is no {given.channel} '{given.source}'")
    made = Source(channel=channel, key=f"any-{given.channel}", name="", settings={}, active=True)
    session.add(made)
    session.flush()
    return made


def _compared(session: Session, lead: Lead, expected: Expected, here: WorkspaceSettings) -> Iterator[str]:
    owner = lead.owner.email if lead.owner else None
    given = expected.model_fields_set
    if "owner" in given and owner != (expected.owner.lower() if expected.owner else None):
        yield _differs("owner", expected.owner or "nobody", owner or "nobody")
    if expected.team is not None and not _is_member(session, lead, expected.team):
        yield _differs("owner", f"somebody of {expected.team}", owner or "nobody")
    if expected.status is not None and lead.status.value != expected.status:
        yield _differs("status", expected.status, lead.status.value)
    if expected.score is not None and lead.score != expected.score:
        yield _differs("score", expected.score, lead.score)
    if expected.tags is not None and sorted(expected.tags) != sorted(lead.tags):
        yield _differs("tags", sorted(expected.tags), sorted(lead.tags))
    for name, value in (expected.fields or {}).items():
        if lead.fields.get(name) != value:
            yield _differs(f"field {name}", value, lead.fields.get(name))
    yield from _compared_activities(session, lead, expected, here.zone)
    runs = session.scalars(select(Run).where(Run.lead_id == lead.id).order_by(Run.id)).all()
    if expected.rules is not None and sorted(expected.rules) != sorted(run.rule for run in runs):
        yield _differs("rules", sorted(expected.rules), sorted(run.rule for run in runs))
    rows = session.scalars(
        select(StepRow).where(StepRow.run_id.in_([run.id for run in runs])).order_by(StepRow.id)
    ).all()
    for step in rows:
        if step.state.value == "failed":
            yield f"the step {step.kind} failed: {step.result}"
    kinds = [step.kind for step in rows]
    for kind in expected.steps or ():
        if kind not in kinds:
            yield _differs("steps", f"{kind} among them", kinds)


def _compared_activities(session: Session, lead: Lead, expected: Expected, zone: ZoneInfo) -> Iterator[str]:
    if expected.activities is None:
        return
    rows = session.scalars(
        select(Activity).where(Activity.lead_id == lead.id).order_by(Activity.due_at)
    ).all()
    planned = [
        {"type": a.type, "subject": a.subject, "due": f"{a.due_at.astimezone(zone):%Y-%m-%d %H:%M}"}
        for a in rows
        if a.state.value == "planned"
    ]
    left = list(planned)
    for activity in expected.activities:
        wanted = activity.model_dump(exclude_none=True)
        match = next((a for a in left if _fits(a, wanted)), None)
        if match is None:
            yield _differs("activities", wanted, planned)
            return
        left.remove(match)
    if left:
        yield _differs("activities", f"{len(expected.activities)}", planned)


def _fits(found: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(found[name] == value for name, value in wanted.items())


def _is_member(session: Session, lead: Lead, team: str) -> bool:
    return (
        session.scalar(
            select(TeamMember.user_id)
            .join(Team, Team.id == TeamMember.team_id)
            .where(Team.key == team, Team.active, TeamMember.user_id == lead.owner_id)
        )
        is not None
    )


def _differs(what: str, expected: object, found: object) -> str:
    return f"{what}: expected {_shown(expected)}, found {_shown(found)}"


def _shown(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence):
        return ", ".join(_shown(v) for v in value) or "none"
    if isinstance(value, Mapping):
        return " ".join(_shown(v) for v in value.values())
    return str(value)
