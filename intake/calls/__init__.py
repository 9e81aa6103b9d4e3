"""Telephone lines: one file a provider, and one line for it here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import Field

from intake.calls.adapter import CallAdapter
from intake.calls.line import LineSettings
from intake.calls.twilio import Twilio

ADAPTERS: tuple[CallAdapter[Any], ...] = (Twilio(),)


def by_name(adapters: Iterable[CallAdapter[Any]]) -> dict[str, CallAdapter[Any]]:
    """The adapters by their names. Raises ValueError for two of one name."""
    found: dict[str, CallAdapter[Any]] = {}
    for adapter in adapters:
        if adapter.name in found:
            raise ValueError(f"two telephony adapters are named '{adapter.name}'")
        found[adapter.name] = adapter
    return found


def any_of(kinds: Sequence[type[LineSettings]]) -> Any:
    """The type of a line of any of these kinds; `provider` tells them apart."""
    # Pydantic knows no discriminator for a union of one. There, the kind's own Literal says the same.
    if len(kinds) == 1:
        return kinds[0]
    return Annotated[Union[tuple(kinds)], Field(discriminator="provider")]  # noqa: UP007  made as it runs


BY_NAME = by_name(ADAPTERS)

if TYPE_CHECKING:
    LINES = LineSettings
else:
    #: The settings of a line, whichever its provider is.
    LINES = any_of([adapter.settings for adapter in ADAPTERS])

__all__ = ["ADAPTERS", "BY_NAME", "LINES", "CallAdapter", "LineSettings", "any_of", "by_name"]
