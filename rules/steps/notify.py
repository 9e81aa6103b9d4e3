"""Tells somebody: a user by e-mail or in the console, or a program by a webhook."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator
from sqlalchemy import select

from core.errors import Invalid
from crm import notifications
from models.user import User
from rules import reach, template
from rules.order import MailOrder, Order, WebhookOrder, Written
from rules.recipient import address_of, check_recipient
from rules.step import DeferredStep, Known, StepContext, StepSettings
from rules.vocabulary import nearest

_TEAMS = (".webhook.office.com", ".logic.azure.com", ".api.powerplatform.com")


class NotifySettings(StepSettings):
    """`notify: {to: owner, text: …}` or `notify: {webhook: https://…, text: …}`."""

    shorthand: ClassVar[str | None] = "text"

    to: str | None = Field(None, description="owner, team.lead, an e-mail address, or an https:// address")
    via: Literal["email", "console", "both"] = Field(
        "email", description="Where a person is told: email, console or both"
    )
    webhook: str | None = Field(None, description="Address that is posted the text and the lead as JSON")
    text: str = Field(description="What to say; may name fields of the lead")
    chat: str | None = Field(None, description="For Telegram: the id of the chat")

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if self.to is not None and self.webhook is not None:
            raise ValueError("needs 'to' or 'webhook', and not both")
        if (url := self.url) is not None and (
            urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname
        ):
            raise ValueError(f"'{url}' is no http or https address")
        if self.url is not None and self.via != "email":
            raise ValueError("'via' is for people, and an address is no person")
        if "api.telegram.org" in (self.url or "") and self.chat is None:
            raise ValueError("Telegram needs the id of a 'chat'")
        return self

    @property
    def url(self) -> str | None:
        """The address to post to, where it is a program that is told."""
        if self.webhook is not None:
            return self.webhook
        return self.to if self.to is not None and "://" in self.to else None


class Notify(DeferredStep[NotifySettings]):
    """Slack, Teams and Telegram get the text as they want it (told by the address), any other webhook
    `{"type": "notify", "text", "lead": {...}}`."""

    name = "notify"
    attempts = 6  # what is told hours later is no news any more
    label = "Notify"
    settings = NotifySettings

    def check(self, settings: NotifySettings, known: Known) -> None:
        """The text and the recipient must be right."""
        template.check(settings.text, known.variables)
        if settings.url is not None:
            reach.check(settings.url)
        else:
            to = settings.to or "owner"
            check_recipient(to, known)
            if settings.via != "email" and (to == "lead" or ("@" in to and to.lower() not in known.users)):
                raise Invalid(f"'{to}' is nobody who has the console{nearest(to, known.users)}")

    def summary(self, settings: NotifySettings) -> str:
        """Whom."""
        url = settings.url
        return f"Notify {urlsplit(url).hostname if url else settings.to or 'owner'}"

    def order(self, context: StepContext, settings: NotifySettings) -> Order | Written:
        """The text as it reads now."""
        text = template.render(settings.text, context.facts)
        if settings.url is not None:
            return WebhookOrder(settings.url, _payload(settings, text, context), context.effect_key)
        to = address_of(context, settings.to or "owner")
        if to is None:
            raise Invalid(f"there is no '{settings.to or 'owner'}' to notify")
        if settings.via != "email":
            told = _tell(context, to, text)
            if settings.via == "console":
                return told
        return MailOrder(to, " ".join(text.split())[:120], text, context.effect_key)


def _tell(context: StepContext, to: str, text: str) -> Written:
    user = context.session.scalars(select(User).where(User.email == to.lower(), User.active)).one_or_none()
    if user is None:
        raise Invalid(f"{to} is no user any more")
    notifications.tell(
        context.session,
        [user],
        text,
        effect_key=context.effect_key,
        actor=context.actor,
        about=context.element,
    )
    return Written(f"told {user.name} in the console")


def _payload(settings: NotifySettings, text: str, context: StepContext) -> dict[str, Any]:
    host = urlsplit(settings.url or "").hostname or ""
    if host == "api.telegram.org":  # Telegram Bot API, sendMessage
        return {"chat_id": settings.chat, "text": text}
    if host == "hooks.slack.com":  # Slack, "Sending messages using incoming webhooks"
        return {"text": text}
    if host.endswith(_TEAMS):  # Microsoft Teams, "Create incoming webhooks with Workflows"
        block = {"type": "TextBlock", "text": text, "wrap": True}
        card = {"type": "AdaptiveCard", "version": "1.4", "body": [block]}
        kind = "application/vnd.microsoft.card.adaptive"
        return {"type": "message", "attachments": [{"contentType": kind, "content": card}]}
    lead = {k: v for k, v in context.facts["lead"].items() if k not in ("created_at", "message")}
    told = {"type": "notify", "text": text, "rule": context.rule, "lead": lead or None}
    for name in ("deal", "contact"):
        if found := context.facts[name]:
            told[name] = {"id": found["id"], "name": found.get("title") or found.get("name")}
    return told
