"""Telephone lines: one file a provider, and one line for it here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import Field

from intake.calls.adapter import CallAdapter, Reply
from intake.calls.aircall import Aircall
from intake.calls.asterisk import Asterisk
from intake.calls.bitrix24 import Bitrix24
from intake.calls.exotel import Exotel
from intake.calls.generic import Generic
from intake.calls.line import LineSettings
from intake.calls.plivo import Plivo
from intake.calls.ringcentral import RingCentral
from intake.calls.signalwire import SignalWire
from intake.calls.telnyx import Telnyx
from intake.calls.threecx import ThreeCx
from intake.calls.twilio import Twilio
from intake.calls.vonage import Vonage
from intake.calls.zadarma import Zadarma

ADAPTERS: tuple[CallAdapter[Any], ...] = (
    Aircall(),
    Asterisk(),
    Bitrix24(),
    Exotel(),
    Generic(),
    Plivo(),
    RingCentral(),
    SignalWire(),
    Telnyx(),
    ThreeCx(),
    Twilio(),
    Vonage(),
    Zadarma(),
)


def by_name(adapters: Iterable[CallAdapter[Any]]) -> dict[str, CallAdapter[Any]]:
    """The adapters by their providers' names. Raises ValueError for two of one name."""
    found: dict[str, CallAdapter[Any]] = {}
    for adapter in adapters:
        if adapter.provider in found:
            raise ValueError(f"two telephony adapters are named '{adapter.provider}'")
        found[adapter.provider] = adapter
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

__all__ = ["ADAPTERS", "BY_NAME", "LINES", "CallAdapter", "LineSettings", "Reply", "any_of", "by_name"]
