"""Where something is sent to that is no step of a rule: texts, webhooks. Steps check their own addresses."""

from __future__ import annotations

from collections.abc import Iterator

from core.errors import Invalid
from rules import reach
from workspace.document import Path
from workspace.schema import WorkspaceFile


def mistakes(file: WorkspaceFile) -> Iterator[tuple[Path, str]]:
    """Those of them that are addresses of our own network."""
    sent: list[tuple[Path, str]] = [(("sms", "url"), file.sms.url)] if file.sms is not None else []
    sent += [(("webhooks", place, "url"), w.url) for place, w in enumerate(file.webhooks or ())]
    for path, url in sent:
        try:
            reach.check(url)
        except Invalid as error:
            yield path, str(error)
