"""One event on its way through the house, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from crm import conversion
from crm.capture import Capture, capture
from crm.happening import Happening
from crm.submission import Submission
from crm.workspace import WorkspaceSettings
from models.contact import Contact
from models.deal import Deal
from models.inbound import InboundEvent
from models.lead import Lead
from models.source import Source
from rules import engine
from rules.assignment import ladder


@dataclass(frozen=True, slots=True)
class Passage:
    """The event, where it came in, and the house it goes through."""

    session: Session
    event: InboundEvent
    source: Source
    settings: Any
    here: WorkspaceSettings
    country: str
    careful: bool

    def capture(self, submission: Submission, *, on_known: str | None = None) -> Capture:
        """The submission's lead; what becomes of those who have one, the source says if nobody else."""
        return capture(
            self.session,
            submission,
            source=self.source,
            event_id=self.event.id,
            country=self.country,
            on_known=on_known or self.settings.on_known,
        )

    def react(self, element: Lead | Deal | Contact, happenings: Iterable[Happening]) -> None:
        """Lets the rules react; a lead that they leave to nobody goes to its team or the catch-all.

        Then, in a workspace that goes straight to deals, it becomes one.
        """
        self.tell(happenings)
        if not isinstance(element, Lead):
            return
        if element.owner_id is None:
            self.tell(ladder.catch(self.session, element, self.here))
        if self.here.mode == "simple":
            self.tell(conversion.straight(self.session, element))

    def tell(self, happenings: Iterable[Happening]) -> None:
        """Lets the rules react, and nothing more."""
        engine.react(
            self.session,
            happenings,
            workspace=self.here,
            event_id=self.event.id,
            careful=self.careful,
        )
