"""Sends an e-mail made from a template."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field, model_validator

from core.errors import Invalid
from crm.contact_points import email_address
from models.workspace import Template
from rules import template
from rules.order import MailOrder
from rules.recipient import address_of, agreed, check_recipient
from rules.step import DeferredStep, Known, StepContext, StepSettings
from rules.vocabulary import nearest


class SendEmailSettings(StepSettings):
    """`send_email: {template: welcome}`, or with its own `subject` and `text`."""

    shorthand: ClassVar[str | None] = "template"

    template: str | None = Field(None, description="Key of a template")
    subject: str | None = Field(None, description="Subject, instead of the template's")
    text: str | None = Field(None, description="Text, instead of the template's")
    marketing: bool = Field(False, description="Whether it is sent only to who agreed to that")
    to: str = Field("lead", description="lead, owner, team.lead or an e-mail address")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.template is None and (self.subject is None or self.text is None):
            raise ValueError("needs a template, or a subject and a text")
        return self


class SendEmail(DeferredStep[SendEmailSettings]):
    """The order is written when the worker is ready to send, so it says what is true then."""

    name = "send_email"
    label = "Send an e-mail"
    settings = SendEmailSettings

    def check(self, settings: SendEmailSettings, known: Known) -> None:
        """The template must be there and name fields that exist."""
        check_recipient(settings.to, known)
        texts = [settings.subject, settings.text]
        if settings.template is not None:
            found = known.templates.get(settings.template)
            if found is None:
                raise Invalid(
                    f"there is no template '{settings.template}'{nearest(settings.template, known.templates)}"
                )
            texts += [found.get("subject"), found.get("text")]
        for text in texts:
            template.check(text or "", known.variables)

    def summary(self, settings: SendEmailSettings) -> str:
        """What, to whom."""
        return f"Send {settings.template or 'an e-mail'} to {settings.to}"

    def order(self, context: StepContext, settings: SendEmailSettings) -> MailOrder:
        """Renders the template for the lead as it is now."""
        if settings.marketing:
            agreed(context.lead)
        to = email_address(address_of(context, settings.to) or "")
        if to is None:
            raise Invalid(f"there is no e-mail address of '{settings.to}' to send to")
        subject, text = settings.subject, settings.text
        if settings.template is not None:
            found = context.session.get(Template, settings.template)
            if found is None:
                raise Invalid(f"there is no template '{settings.template}' any more")
            subject = subject or found.settings.get("subject", "")
            text = text or found.settings.get("text", "")
        return MailOrder(
            to=to,
            subject=" ".join(template.render(subject or "", context.facts).split())[:400],
            text=template.render(text or "", context.facts),
            message_id=context.effect_key,
        )
