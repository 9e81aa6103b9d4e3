"""What every adapter is: pure functions from a delivery to what it means.

An adapter has no session, no network and no clock of its own. It is one file that names itself, its
settings (a pydantic model, from which the workspace's schema comes) and three functions.
"""

from __future__ import annotations

from typing import ClassVar, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from core.ids import digest
from crm.mail_facts import Told
from crm.submission import CallUpdate, Notice, Submission
from intake.delivery import Delivery
from intake.errand import Errand
from models.source import Channel


class Way(BaseModel):
    """What all ways in have in the workspace file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", description="Short name, used in addresses")
    name: str = Field("", description="What people call it")
    country: str | None = Field(None, pattern="^[A-Z]{2}$", description="Where national numbers are read")


class SourceSettings(Way):
    """What a way in for enquiries has besides."""

    team: str | None = Field(None, description="Team of the leads that no rule assigns")
    on_known: Literal["attach", "repeat", "new"] = Field(
        "attach", description="What an enquiry becomes of somebody who has an open lead or deal"
    )


S = TypeVar("S", bound=Way)


class Adapter(Generic[S]):
    """One format in which enquiries arrive."""

    name: ClassVar[str]
    channel: ClassVar[Channel]
    settings: type[S]
    #: The content types that are understood; anything else is refused with 415.
    content_types: ClassVar[tuple[str, ...]]

    def verify(self, delivery: Delivery, settings: S) -> None:
        """Raises Refused unless the delivery comes from whom it says."""
        raise NotImplementedError

    def dedupe_key(self, delivery: Delivery, settings: S) -> str:
        """The same for every delivery of the same event, at most 200 characters."""
        return digest(delivery.body)

    def errand(self, delivery: Delivery, settings: S) -> Errand | None:
        """What must be done outside before the delivery can be read; None where nothing has to."""
        return None

    def parse(self, delivery: Delivery, settings: S) -> Submission | CallUpdate | Told | Notice:
        """What the delivery says.

        Raises Unreadable for what cannot be understood, Ignored for what asks for nothing.
        """
        raise NotImplementedError
