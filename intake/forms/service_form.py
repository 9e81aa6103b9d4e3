"""A form service's format as an adapter: the service reads it, the form says what its fields mean."""

from __future__ import annotations

from typing import Any

from core.errors import Quarantined, Unreadable
from crm.submission import Submission
from intake.adapter import Adapter
from intake.delivery import Delivery
from intake.errand import LOOKED_UP, Errand
from intake.forms import spam
from intake.forms.interpret import interpret
from intake.forms.service import FormService
from intake.forms.services import SERVICES, settings_of
from intake.forms.settings import FormSettings
from models.source import Channel


class ServiceForm(Adapter[FormSettings]):
    """Posts of one service to any form."""

    channel = Channel.FORM
    settings = FormSettings

    def __init__(self, service: FormService[Any]) -> None:
        self.service = service
        # One class for all services: what the others have in theirs, each of these has of its own.
        vars(self).update(name=service.name, content_types=service.content_types)

    def errand(self, delivery: Delivery, settings: FormSettings) -> Errand | None:
        """What the service has to be asked first."""
        if LOOKED_UP in delivery.facts:
            return None
        lookup = self.service.lookup(delivery, self._settings(settings))
        return Errand(lookup) if lookup is not None else None

    def _settings(self, settings: FormSettings) -> Any:
        own = settings_of(self.service, settings.services)
        if own is None:
            raise Unreadable(f"the form's `services` names {self.service.name} no more")
        return own

    def parse(self, delivery: Delivery, settings: FormSettings) -> Submission:
        """The service's answers, read by the form's own declarations and mapping."""
        answers = self.service.read(delivery, self._settings(settings))
        submission = interpret(answers, settings, delivery)
        if (name := spam.trapped(answers, settings)) is not None:
            raise Quarantined(f"the hidden field '{name}' was filled in", submission)
        return submission


SERVICE_FORMS = tuple(ServiceForm(service) for service in SERVICES)
