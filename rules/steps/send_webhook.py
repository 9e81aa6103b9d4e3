"""Tells a program, and may use what it answers."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from rules import reach, template
from rules.order import WebhookOrder
from rules.step import DeferredStep, Known, StepContext, StepSettings


class SendWebhookSettings(StepSettings):
    """`send_webhook: https://…`, or with a `body` of its own and a name for the answer."""

    shorthand: ClassVar[str | None] = "url"

    url: str = Field(description="Where to post to: an http or https address")
    body: dict[str, Any] | None = Field(
        None, description="What to post as JSON; its texts may name fields. Default: the lead"
    )
    answer_as: str | None = Field(
        None,
        pattern="^[a-z][a-z0-9_]{0,39}$",
        description="Later steps wait for the answer and call it answers.<name>",
    )

    @field_validator("url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        if urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname:
            raise ValueError(f"'{value}' is no http or https address")
        return value


class SendWebhook(DeferredStep[SendWebhookSettings]):
    """Posts `{"type", "rule", "lead": {...}, "deal"?, "contact"?}`, or the body that is given."""

    name = "send_webhook"
    label = "Send a webhook"
    settings = SendWebhookSettings

    def check(self, settings: SendWebhookSettings, known: Known) -> None:
        """The address may not be one of our own network, and the body's texts must name fields that exist."""
        reach.check(settings.url)
        template.check_all(settings.body, known.variables)

    def summary(self, settings: SendWebhookSettings) -> str:
        """To whom."""
        return f"Send a webhook to {urlsplit(settings.url).hostname}"

    def holds_up(self, settings: SendWebhookSettings) -> bool:
        """Where its answer is asked for."""
        return settings.answer_as is not None

    def order(self, context: StepContext, settings: SendWebhookSettings) -> WebhookOrder:
        """The body as it reads now."""
        if settings.body is None:
            seen = {name: context.facts[name] for name in ("deal", "contact") if context.facts[name]}
            payload: dict[str, Any] = {
                "type": "lead" if context.facts["lead"] else next(iter(seen), "event"),
                "rule": context.rule,
                "lead": context.facts["lead"] or None,
                **seen,
                **({} if context.facts["lead"] or seen else {"event": context.facts["event"]}),
            }
        else:
            payload = template.fill(settings.body, context.facts)
        return WebhookOrder(settings.url, payload, context.effect_key)
