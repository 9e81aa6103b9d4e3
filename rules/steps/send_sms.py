"""Sends a text message by the provider that the workspace names."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from core import secrets
from core.errors import Invalid
from crm.contact_points import phone_number
from models.workspace import WorkspaceRow
from rules import template
from rules.order import WebhookOrder
from rules.recipient import agreed, person_of, phone_of
from rules.sms import SmsSettings
from rules.step import DeferredStep, Known, StepContext, StepSettings

_LONGEST = 1600  # ten parts of a message, as most providers take


class SendSmsSettings(StepSettings):
    """`send_sms: "Hello {{ lead.name }}"`, or with a number of your own."""

    shorthand: ClassVar[str | None] = "text"

    text: str = Field(min_length=1, description="What to say; may name fields of the lead")
    marketing: bool = Field(False, description="Whether it is sent only to who agreed to that")
    to: str = Field("lead", description="lead, or a telephone number")


class SendSms(DeferredStep[SendSmsSettings]):
    """To the number of the lead, or the contact; one without makes it fail, and the run goes on."""

    name = "send_sms"
    label = "Send a text message"
    settings = SendSmsSettings
    attempts = 6  # a text that comes a day later is worse than none

    def check(self, settings: SendSmsSettings, known: Known) -> None:
        """The text must be right, and the workspace have a provider."""
        template.check(settings.text, known.variables)
        if not known.sms:
            raise Invalid("the workspace has no 'sms' provider")

    def summary(self, settings: SendSmsSettings) -> str:
        """To whom."""
        return f"Send a text message to {settings.to}"

    def order(self, context: StepContext, settings: SendSmsSettings) -> WebhookOrder:
        """As the provider wants it."""
        if settings.marketing:
            agreed(person_of(context))
        written = phone_of(context) if settings.to == "lead" else settings.to
        to = phone_number(written or "", context.workspace.country)
        if to is None:
            raise Invalid(f"there is no telephone number of '{settings.to}' to send to")
        row = context.session.get(WorkspaceRow, 1)
        if row is None or not row.sms:
            raise Invalid("the workspace has no 'sms' provider any more")
        sms = SmsSettings.model_validate(secrets.opened(row.sms, secrets.opened_environment(row.environment)))
        text = template.render(settings.text, context.facts).strip()[:_LONGEST]
        if not text:
            raise Invalid("the message is empty")
        payload = template.fill(sms.body, {"sms": {"to": to, "text": text, "id": context.effect_key[:32]}})
        headers = {name: value.get_secret_value() for name, value in sms.headers.items()}
        return WebhookOrder(sms.url, payload, context.effect_key, headers)
