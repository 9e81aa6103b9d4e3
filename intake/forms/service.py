"""What every form service's format is: pure functions from a delivery to the answers in it.

A format is one file in `intake.forms.services` that names itself and its settings; which fields mean what is
decided afterwards, the same way for all of them, in `intake.forms.interpret`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from core.ids import digest
from intake.delivery import Delivery
from intake.errand import LOOKED_UP, Lookup
from intake.forms.answers import Answers
from intake.forms.body import JSON

__all__ = ["LOOKED_UP", "FormService", "Lookup", "Part", "Reply", "ServiceSettings"]


class ServiceSettings(BaseModel):
    """What the workspace file says of a service under a form's `services`."""

    model_config = ConfigDict(extra="forbid", frozen=True)


S = TypeVar("S", bound=ServiceSettings)


@dataclass(frozen=True, slots=True)
class Part:
    """One submission of a delivery that may hold several: its key, and what tells it from the others.

    `by_content` says that the service names no id: then the same content is the same submission only for a
    while, as for any form.
    """

    key: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    by_content: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of ours that the service expects in its own words."""

    content: str = "{}"
    content_type: str = JSON


class FormService(Generic[S]):
    """One service's format."""

    #: As in the address it posts to, /in/forms/<key>/<name>.
    name: ClassVar[str]
    #: What people call it.
    label: ClassVar[str]
    #: Other words for it that are understood in an address.
    aliases: ClassVar[tuple[str, ...]] = ()
    settings: type[S]
    #: Whether it is taken only where the form's `services` name it, with its secrets.
    configured: ClassVar[bool] = False
    content_types: ClassVar[tuple[str, ...]] = (JSON,)

    def verify(self, delivery: Delivery, settings: S) -> None:
        """Raises Refused unless the service sent this; does nothing where it signs nothing."""

    def handshake(self, query: Mapping[str, str], settings: S) -> Reply | None:
        """The answer to a GET with which the service tries the address; None where it makes none.

        Raises Refused where it does not come from the service.
        """
        return None

    def parts(self, delivery: Delivery, settings: S) -> tuple[Part, ...]:
        """The submissions in this delivery by the service's own ids, the same whenever it is sent again.

        Raises Refused for what is malformed; nothing where it holds no submission.
        """
        return (Part(digest(delivery.body), by_content=True),)

    def lookup(self, delivery: Delivery, settings: S) -> Lookup | None:
        """What must be asked of the service first; the answer is then in the delivery's facts."""
        return None

    def read(self, delivery: Delivery, settings: S) -> Answers:
        """The answers in it.

        Raises Unreadable for what cannot be understood, Ignored for what is no submission.
        """
        raise NotImplementedError

    def reply(self) -> Reply | None:
        """The answer to an accepted delivery where the service wants one of its own; ours otherwise."""
        return None
