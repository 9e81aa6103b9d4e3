"""The named ways in which something fails; each is mapped to an answer in exactly one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta


class PortariaError(Exception):
    """A failure with words a person can act on."""


class Refused(PortariaError):
    """The door says no: nothing was stored.

    `status` is the HTTP status, `reason` a short machine word that is also the metric's label,
    `retry_after` how many seconds later it may be tried again.
    """

    def __init__(self, message: str, *, status: int, reason: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after


class Invalid(PortariaError):
    """The values are not acceptable; `fields` names each with what is wrong with it."""

    def __init__(self, message: str, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.fields = dict(fields or {})


class Unreadable(PortariaError):
    """An accepted event that cannot be understood: kept as `failed`, shown, replayable."""


class Ignored(PortariaError):
    """An accepted event that is understood and asks for nothing."""


class Quarantined(PortariaError):
    """An accepted event that is probably no enquiry: kept apart until a person decides.

    `submission` is what it is if it is one after all.
    """

    def __init__(self, message: str, submission: object = None) -> None:
        super().__init__(message)
        self.submission = submission


class Conflict(PortariaError):
    """The change does not fit the present state (HTTP 409).

    `candidates` are what stands in its way, as plain values, where whoever asks may choose among them.
    """

    def __init__(self, message: str, *, candidates: Sequence[Mapping[str, object]] = ()) -> None:
        super().__init__(message)
        self.candidates = tuple(candidates)


class Stale(PortariaError):
    """It was changed since whoever asks has read it (HTTP 412)."""


class NotAllowed(PortariaError):
    """The user may not do this (HTTP 403)."""


class NotFound(PortariaError):
    """There is no such thing, or the user may not know of it (HTTP 404)."""


class Unavailable(PortariaError):
    """A part we depend on does not answer; trying again later may help (HTTP 503)."""

    def __init__(self, message: str, *, retry_after: timedelta = timedelta(seconds=5)) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Retry(PortariaError):
    """An action failed in a way that may pass."""

    def __init__(self, message: str, *, after: timedelta | None = None) -> None:
        super().__init__(message)
        self.after = after


class TooEarly(Retry):
    """An action was not even tried, because only so much is allowed in a time; it counts as no attempt."""

    def __init__(self, message: str, *, after: timedelta) -> None:
        super().__init__(message, after=after)
        self.wait = after


class NotSent(Retry):
    """An action that surely did not reach the other side, and may be done again without harm."""


class Permanent(PortariaError):
    """An action failed in a way that trying again will not mend."""
