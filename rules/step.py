"""What every step is. Immediate ones change the database inside the planning transaction; deferred
ones write an order for the world outside, which a worker carries out; those of the course decide how
the run goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict
from sqlalchemy.orm import Session

from core.errors import Invalid
from crm.happening import Happening
from crm.workspace import WorkspaceSettings
from models.contact import Contact
from models.deal import Deal
from models.lead import Lead
from rules.order import Order, Written
from rules.outlook import Outlook
from rules.vocabulary import Fields, References


class StepSettings(BaseModel):
    """The settings of a step in a rule. `shorthand` names the one that a bare value stands for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    shorthand: ClassVar[str | None] = None


S = TypeVar("S", bound=StepSettings)


@dataclass(frozen=True, slots=True)
class Known:
    """What a rule may refer to in its workspace; for the check when it is published."""

    users: frozenset[str]
    teams: frozenset[str]
    calendars: frozenset[str]
    templates: Mapping[str, Mapping[str, Any]]
    variables: Mapping[str, Fields]
    territories: frozenset[str] = frozenset()
    rules: frozenset[str] = frozenset()
    sms: bool = False
    lists: frozenset[str] = frozenset()
    sources: frozenset[str] | None = None
    mailboxes: frozenset[str] = frozenset()
    #: What the rule's trigger can be about: lead, deal, contact; empty: that is not known.
    about: tuple[str, ...] = ()
    #: What the CRM is set up with: statuses, reasons, kinds of activity, pipelines and their stages.
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def references(self) -> References:
        """What of it a condition may name."""
        return References(self.lists, self.calendars, self.sources, self.words)


@dataclass(frozen=True, slots=True)
class StepContext:
    """What a step works with. `effect_key` is the same whenever the same effect is tried again."""

    session: Session
    #: What the rule runs on; None for what happened to nobody.
    element: Lead | Deal | Contact | None
    #: The lead, or the one that the deal came from, where it came from one.
    came_from: Lead | None
    facts: Mapping[str, Any]
    workspace: WorkspaceSettings
    rule: str
    effect_key: str
    now: datetime
    #: The step's row, for a deferred step.
    step_id: int | None = None
    #: The mail that set the run off, for a run that was.
    mail_id: int | None = None
    #: Whether what the last `wait` of the same list waited for came; None where there was none.
    waited: bool | None = None

    @property
    def lead(self) -> Lead:
        """The lead. Raises Invalid where there is none: the step cannot be done then."""
        if self.came_from is None:
            raise Invalid(f"this is about a lead, and {_nothing_of_one(self.element)}")
        return self.came_from

    @property
    def subject(self) -> Lead | Deal | Contact:
        """What the rule runs on. Raises Invalid where that is nothing."""
        if self.element is None:
            raise Invalid("there is no lead, deal or contact here that this could be done to")
        return self.element

    @property
    def contact(self) -> Contact | None:
        """The contact, or the deal's."""
        return (
            self.element.contact
            if isinstance(self.element, Deal)
            else (self.element if isinstance(self.element, Contact) else None)
        )

    @property
    def actor(self) -> str:
        """How the timeline names who did it."""
        return f"rule:{self.rule}"


def _nothing_of_one(element: Lead | Deal | Contact | None) -> str:
    if isinstance(element, Deal):
        return f"the deal {element.number or element.id} came from none"
    return "the rule runs on a contact" if element is not None else "there is none here"


@dataclass(frozen=True, slots=True)
class Result:
    """What a step did, in words, and what happened by it; other rules it starts or ends, by name. `over`: the
    run ends with it."""

    words: str
    happenings: tuple[Happening, ...] = ()
    starts: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    over: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """Where a run goes on after a step of its course.

    `into`: a list of steps inside this one, once or, with `items`, once for each of them, which the steps
    see under the name `each`. `until`: not before this moment, or before `awaits` happens to the lead and
    `where` (a condition on it) is true. `stops`: nowhere, the run is over.
    """

    words: str
    into: str | None = None
    items: tuple[Any, ...] | None = None
    each: str = "item"
    until: datetime | None = None
    awaits: str | None = None
    where: str | None = None
    stops: bool = False


class Step(Generic[S]):
    """A step's name, what people read of it, and its settings.

    `follows` names a step that must stand before it in the same list.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    settings: type[S]
    follows: ClassVar[str | None] = None

    def check(self, settings: S, known: Known) -> None:
        """Raises Invalid where the settings refer to what is not there."""

    def summary(self, settings: S) -> str:
        """The step as a plan tells it, in a few words."""
        return self.label

    def foresee(self, settings: S, outlook: Outlook, facts: Mapping[str, Any]) -> None:
        """Changes the outlook as the step would change the lead; most change nothing of it."""


class CourseStep(Step[S]):
    """Decides how the run goes on: into which steps, when, or not at all."""

    def turn(self, context: StepContext, settings: S) -> Turn:
        """Decides.

        Raises Invalid where it cannot be decided; the run says so and goes on with its next step.
        """
        raise NotImplementedError

    def inside(self, settings: S) -> Mapping[str, Sequence[Any]]:
        """The lists of steps inside this one, by name, as they are written."""
        return {}

    def variables(self, settings: S) -> Mapping[str, Fields]:
        """What the steps inside may name beside what is there anyway, each with its fields."""
        return {}


class ImmediateStep(Step[S]):
    """Runs in the planning transaction."""

    def run(self, context: StepContext, settings: S) -> Result:
        """Does it.

        Raises Invalid where it cannot be done; the run says so and goes on with its next step.
        """
        raise NotImplementedError


class DeferredStep(Step[S]):
    """Is carried out by a worker, in its own time and with its own attempts.

    `attempts`: how often it is tried at most; the waits between them are those of `rules.runs`.
    """

    attempts: ClassVar[int] = 9

    def holds_up(self, settings: S) -> bool:
        """Whether the run's next steps need what comes of it; else they do not wait for it."""
        return False

    def order(self, context: StepContext, settings: S) -> Order | Written:
        """What the worker is to do, or what was written instead.

        Raises Invalid where there is nothing that could be done (no address, no template), LeftOut where it
        is not to be done.
        """
        raise NotImplementedError
