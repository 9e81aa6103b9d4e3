"""Remarks something on the lead, deal or contact."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from core.errors import Invalid
from crm import timeline
from rules import template
from rules.step import ImmediateStep, Known, Result, StepContext, StepSettings

_LONGEST_SUMMARY = 200


class CommentSettings(StepSettings):
    """`comment: "Called {{ call.from }} without an answer"`."""

    shorthand: ClassVar[str | None] = "text"

    text: str = Field(min_length=1, description="What to remark; may name fields of the lead")


class Comment(ImmediateStep[CommentSettings]):
    """Stands on the timeline beside people's comments."""

    name = "comment"
    label = "Comment"
    settings = CommentSettings

    def check(self, settings: CommentSettings, known: Known) -> None:
        """The text must name fields that exist."""
        template.check(settings.text, known.variables)

    def run(self, context: StepContext, settings: CommentSettings) -> Result:
        """Writes it."""
        text = template.render(settings.text, context.facts).strip()
        if not text:
            raise Invalid("the comment is empty")
        line = " ".join(text.split())[:_LONGEST_SUMMARY]
        timeline.record(
            context.session,
            context.subject,
            kind="comment",
            summary=line,
            actor=context.actor,
            data={"text": text},
        )
        return Result(f"Commented: {line}")
