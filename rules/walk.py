"""A run on its way through its rule's steps: from the beginning, or from where it waited.

Each step is a row that is made when the run comes to it. The row's path says where in the rule it
stands, so that a run which goes on days later, in another process, finds its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from enum import Enum, auto
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from core import clock, queue
from core.errors import Conflict, Invalid, NotFound, PortariaError
from core.ids import digest
from core.logs import logger
from core.rows import insert_alone
from core.savepoint import savepoint
from crm import timeline
from crm.happening import Happening
from crm.workspace import WorkspaceSettings
from models.rule import Run, RunState, StepRow, StepState
from rules import facts
from rules.schema import PlannedStep, Rule
from rules.step import CourseStep, DeferredStep, ImmediateStep, StepContext

#: A run that comes to so many steps is going round in circles.
MOST_STEPS = 1000
_OPEN = frozenset({StepState.READY, StepState.RUNNING, StepState.WAITING})
log = logger(__name__)


class _Way(Enum):
    ON = auto()
    HELD = auto()
    OVER = auto()


class Walk:
    """Takes one run as far as it goes now.

    `happenings` is what its steps made happen, `starts` and `ends` which other rules they name.
    """

    def __init__(
        self,
        session: Session,
        run: Run,
        rule: Rule,
        happening: Happening,
        workspace: WorkspaceSettings,
        rows: Iterable[StepRow] = (),
        *,
        careful: bool = True,
    ) -> None:
        self.happenings: list[Happening] = []
        self.starts: list[str] = []
        self.ends: list[str] = []
        self._session = session
        self._run = run
        self._rule = rule
        self._happening = happening
        self._workspace = workspace
        self._rows = {row.path: row for row in rows}
        self._new: list[StepRow] = []
        self._seen: facts.Facts | None = None
        self._careful = careful

    def start(self) -> None:
        """From the first step."""
        self._arrive(self._list(self._rule.steps, "", 0, {}))

    def go_on(self, path: str) -> None:
        """From the step after the one at `path`, which is done with."""
        self._arrive(self._back(self._rule.steps, "", path.split("."), {}))

    @property
    def waits(self) -> bool:
        """Whether it has come to a wait."""
        return any(row.state is StepState.WAITING for row in self._rows.values())

    def again(self, path: str) -> None:
        """The one immediate step at `path` once more, and nothing after it."""
        prefix, _, last = path.rpartition(".")
        row = self._rows[path]
        prefix = f"{prefix}." if prefix else ""
        self._do(step_at(self._rule, path), row, prefix, int(last), row.data.get("around", {}))
        self._arrive(_Way.ON)

    def _arrive(self, way: _Way) -> None:
        if way is not _Way.HELD:
            settle(self._run, self._rows.values())
        if inspect(self._run).transient:
            insert_alone(self._session, self._run)
        for row in self._new:
            row.run_id = self._run.id
            set_committed_value(row, "run", self._run)
        self._session.add_all(self._new)
        ready = [row for row in self._new if row.state is StepState.READY]
        if self._careful or ready:
            self._session.flush()
        for row in ready:
            queue.wake(self._session, queue.RUN_STEP, row.id)

    def _list(self, steps: Sequence[PlannedStep], prefix: str, first: int, around: Mapping[str, Any]) -> _Way:
        for place in range(first, len(steps)):
            way = self._step(steps[place], prefix, place, around)
            if way is not _Way.ON:
                return way
        return _Way.ON

    def _back(
        self, steps: Sequence[PlannedStep], prefix: str, path: Sequence[str], around: Mapping[str, Any]
    ) -> _Way:
        """On from a place inside these steps, and from the lists that are around it."""
        place = int(path[0])
        if len(path) > 1:
            row, planned = self._rows[prefix + path[0]], steps[place]
            name, _, time = path[1].partition("#")
            inside = {**around, row.data["each"]: row.data["items"][int(time)]} if time else around
            way = self._back(planned.lists[name], f"{row.path}.{path[1]}.", path[2:], inside)
            if way is _Way.ON and time:
                way = self._into(planned, row, around, int(time) + 1)
            if way is not _Way.ON:
                return way
        return self._list(steps, prefix, place + 1, around)

    def _step(self, planned: PlannedStep, prefix: str, place: int, around: Mapping[str, Any]) -> _Way:
        if len(self._rows) >= MOST_STEPS:
            self._run.ended_why = f"came to more than {MOST_STEPS} steps"
            return _Way.OVER
        now = clock.now()
        row = StepRow(
            run_id=self._run.id,
            path=f"{prefix}{place:03}",
            kind=planned.kind,
            settings=dict(planned.stored),
            data={"around": dict(around)} if around else {},
            state=StepState.READY,
            due_at=now,
            attempts=0,
        )
        self._rows[row.path] = row
        self._new.append(row)
        if isinstance(planned.step, DeferredStep):
            return _Way.HELD if planned.step.holds_up(planned.settings) else _Way.ON
        return self._do(planned, row, prefix, place, around)

    def _do(
        self, planned: PlannedStep, row: StepRow, prefix: str, place: int, around: Mapping[str, Any]
    ) -> _Way:
        row.attempts += 1
        row.ended_at = clock.now()
        try:
            with savepoint(self._session) if self._careful else nullcontext():
                return self._done(planned, row, prefix, place, around)
        except (Conflict, Invalid, NotFound) as error:
            self._failed(planned, row, in_words(error))
        except (DataError, IntegrityError) as error:
            if not self._careful:
                raise
            self._failed(planned, row, f"the database does not take it: {type(error.orig).__name__}")
        except DBAPIError:
            raise
        except Exception as error:  # a step's mistake must cost neither the lead nor the other rules
            if not self._careful:
                raise
            log.exception("step.broken", rule=self._rule.name, kind=planned.kind)
            self._failed(planned, row, f"this is a mistake of ours: {type(error).__name__}")
        return _Way.ON

    def _done(
        self, planned: PlannedStep, row: StepRow, prefix: str, place: int, around: Mapping[str, Any]
    ) -> _Way:
        context = self._context(row, prefix, place, around)
        if isinstance(planned.step, ImmediateStep):
            result = planned.step.run(context, planned.settings)
            row.state, row.result = StepState.DONE, result.words
            self.happenings += result.happenings
            self.starts += result.starts
            self.ends += result.ends
            self._seen = None
            if result.over:
                self._run.ended_why = result.words
            return _Way.OVER if result.over else _Way.ON
        if isinstance(planned.step, CourseStep):
            return self._turn(planned, planned.step, row, context, around)
        raise TypeError(f"'{planned.kind}' is no kind of step")

    def _turn(
        self,
        planned: PlannedStep,
        step: CourseStep[Any],
        row: StepRow,
        context: StepContext,
        around: Mapping[str, Any],
    ) -> _Way:
        turn = step.turn(context, planned.settings)
        row.result = turn.words
        if turn.until is not None:
            row.state, row.ended_at = StepState.WAITING, None
            row.due_at, row.awaits = turn.until, turn.awaits
            row.data = {**row.data, "where": turn.where}
            return _Way.HELD
        row.state = StepState.DONE
        if turn.stops:
            self._run.ended_why = turn.words
            return _Way.OVER
        if turn.into is None:
            return _Way.ON
        row.data = {**row.data, "into": turn.into}
        if turn.items is not None:
            row.data = {**row.data, "items": list(turn.items), "each": turn.each}
        return self._into(planned, row, around, 0)

    def _into(self, planned: PlannedStep, row: StepRow, around: Mapping[str, Any], first: int) -> _Way:
        name, items = row.data["into"], row.data.get("items")
        steps = planned.lists[name]
        if items is None:
            return self._list(steps, f"{row.path}.{name}.", 0, around)
        for time in range(first, len(items)):
            inside = {**around, row.data["each"]: items[time]}
            way = self._list(steps, f"{row.path}.{name}#{time:04}.", 0, inside)
            if way is not _Way.ON:
                return way
        return _Way.ON

    def _context(self, row: StepRow, prefix: str, place: int, around: Mapping[str, Any]) -> StepContext:
        if self._seen is None:
            self._seen = seen_by(self._happening, self._workspace, self._rows.values())
        waits = (self._rows.get(f"{prefix}{before:03}") for before in range(place - 1, -1, -1))
        waited = next((w.data.get("came", False) for w in waits if w and w.kind == "wait"), None)
        return StepContext(
            session=self._session,
            element=self._happening.element,
            came_from=self._happening.lead,
            facts={**self._seen, **around},
            workspace=self._workspace,
            rule=self._run.rule,
            effect_key=digest(self._run.effect_key, row.path),
            now=clock.now(),
            waited=waited,
        )

    def _failed(self, planned: PlannedStep, row: StepRow, words: str) -> None:
        row.state, row.result = StepState.FAILED, words
        self._seen = None
        element = self._happening.element
        if element is None:
            return  # the run's own rows say it
        timeline.record(
            self._session,
            element,
            kind="step_failed",
            summary=f"{planned.summary}: {words}",
            actor=f"rule:{self._run.rule}",
        )


def in_words(error: PortariaError) -> str:
    """Why something could not be done, with each field that was wrong."""
    fields = error.fields if isinstance(error, Invalid) else {}
    return "; ".join(f"{name.removeprefix('/')} {words}" for name, words in fields.items()) or str(error)


def step_at(rule: Rule, path: str) -> PlannedStep:
    """The step that a path names."""
    words = path.split(".")
    step = rule.steps[int(words[0])]
    for name, place in zip(words[1::2], words[2::2], strict=True):
        step = step.lists[name.partition("#")[0]][int(place)]
    return step


def seen_by(happening: Happening, workspace: WorkspaceSettings, rows: Iterable[StepRow]) -> facts.Facts:
    """What a run's next step sees: the facts, and what earlier steps were answered."""
    answers = {row.data["name"]: row.data["answer"] for row in rows if "answer" in row.data}
    return {**facts.of(happening, workspace), "answers": answers}


def settle(run: Run, steps: Iterable[StepRow]) -> None:
    """Ends the run once all its steps have ended; takes it up again where one has not."""
    states = {step.state for step in steps}
    if states & _OPEN:
        if run.state is not RunState.ACTIVE:
            run.state, run.ended_at = RunState.ACTIVE, None
        return
    failed = states & {StepState.FAILED, StepState.UNKNOWN}
    cancelled = StepState.CANCELLED in states
    run.state = RunState.FAILED if failed else RunState.CANCELLED if cancelled else RunState.DONE
    run.ended_at = clock.now()
