"""Sends an e-mail made from a template."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field, model_validator

from core.errors import Invalid
from crm import messages, reachability
from crm.contact_points import email_address
from crm.language import language_of
from crm.messages import Letter
from models.message import Message
from rules import footer, letter, template
from rules.letter import TemplateSettings
from rules.order import MailOrder
from rules.recipient import address_of, agreed, check_recipient, person_of
from rules.step import DeferredStep, Known, StepContext, StepSettings
from rules.vocabulary import nearest


class SendEmailSettings(StepSettings):
    """`send_email: {template: welcome}`, or with its own `subject` and `text`."""

    shorthand: ClassVar[str | None] = "template"

    template: str | None = Field(None, description="Key of a template")
    subject: str | None = Field(None, description="Subject, instead of the template's")
    text: str | None = Field(None, description="Text, instead of the template's, which then has no HTML")
    language: str | None = Field(None, description="Language of the template; the lead's if left out")
    marketing: bool = Field(False, description="Whether it is sent only to who agreed to that")
    transactional: bool = Field(
        False, description="Whether it is also sent to who has unsubscribed from automatic mail"
    )
    mailbox: str | None = Field(
        None, description="Mailbox it is sent from; the lead's own or the first if left out"
    )
    to: str = Field("lead", description="lead, owner, team.lead or an e-mail address")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.template is None and (self.subject is None or self.text is None):
            raise ValueError("needs a template, or a subject and a text")
        if self.marketing and self.transactional:
            raise ValueError("what is marketing is not transactional")
        return self


class SendEmail(DeferredStep[SendEmailSettings]):
    """The order is written when the worker is ready to send, so it says what is true then."""

    name = "send_email"
    label = "Send an e-mail"
    settings = SendEmailSettings

    def check(self, settings: SendEmailSettings, known: Known) -> None:
        """The template must be there and name fields that exist."""
        check_recipient(settings.to, known)
        if settings.mailbox is not None and settings.mailbox not in known.mailboxes:
            raise Invalid(
                f"there is no mailbox '{settings.mailbox}'{nearest(settings.mailbox, known.mailboxes)}"
            )
        for text in (settings.subject, settings.text):
            template.check(text or "", known.variables)
        if settings.template is not None:
            found = known.templates.get(settings.template)
            if found is None:
                raise Invalid(
                    f"there is no template '{settings.template}'{nearest(settings.template, known.templates)}"
                )
            letter.check(TemplateSettings.model_validate(found), known.variables)

    def summary(self, settings: SendEmailSettings) -> str:
        """What, to whom."""
        return f"Send {settings.template or 'an e-mail'} to {settings.to}"

    def order(self, context: StepContext, settings: SendEmailSettings) -> MailOrder:
        """Renders the template for the lead as it is now."""
        if settings.marketing:
            agreed(person_of(context))
        to = email_address(address_of(context, settings.to) or "")
        if to is None:
            raise Invalid(f"there is no e-mail address of '{settings.to}' to send to")
        said = self._letter(context, settings)
        if settings.to != "lead":
            return MailOrder(to, said.subject, said.text, context.effect_key, html=said.html)
        return self._to_lead(context, settings, to, said)

    def _letter(self, context: StepContext, settings: SendEmailSettings) -> Letter:
        own_subject = None if settings.subject is None else template.render(settings.subject, context.facts)
        own_text = None if settings.text is None else template.render(settings.text, context.facts)
        if settings.template is None:
            return Letter(letter.one_line(own_subject or ""), own_text or "")
        said = letter.write(
            letter.standing(context.session, settings.template),
            context.facts,
            language=settings.language or language_of(person_of(context), context.workspace),
            workspace=context.workspace,
        ).letter
        return Letter(
            said.subject if own_subject is None else letter.one_line(own_subject),
            said.text if own_text is None else own_text,
            said.html if own_text is None else "",
        )

    def _to_lead(self, context: StepContext, settings: SendEmailSettings, to: str, said: Letter) -> MailOrder:
        session = context.session
        reachability.check_not_bounced(session, to)
        reachability.check_automatic(
            session,
            to,
            most=context.workspace.automatic_mails_per_hour,
            effect_key=context.effect_key,
            asked=settings.transactional,
        )
        unsubscribe = "" if settings.transactional else reachability.unsubscribe_link(session, to)
        if settings.marketing and unsubscribe:
            said = footer.added(said, unsubscribe, language_of(person_of(context), context.workspace))
        answered = session.get(Message, context.mail_id) if context.mail_id is not None else None
        message = messages.note(
            session,
            context.came_from or context.subject,
            said,
            to=to,
            effect_key=context.effect_key,
            actor=context.actor,
            automatic=True,
            mailbox=settings.mailbox or (answered.mailbox if answered else None),
            answers=answered,
            step_id=context.step_id,
        )
        return MailOrder(
            to,
            said.subject,
            said.text,
            context.effect_key,
            html=said.html,
            mailbox=message.mailbox or _own_mailbox(context),
            in_reply_to=message.in_reply_to,
            references=tuple(message.references),
            automatic="auto-replied" if answered is not None else "auto-generated",
            unsubscribe=unsubscribe,
        )


def _own_mailbox(context: StepContext) -> str | None:
    source = context.came_from.source if context.came_from else None
    return source.key if source is not None and source.channel == "email" else None
