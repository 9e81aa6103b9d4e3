"""What a form hands over, whatever its format: questions with their answers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from intake.forms.body import Posted, Upload


@dataclass(frozen=True, slots=True)
class Answer:
    """One field as it was filled in.

    `values` are texts, numbers or flags, `label` is the question as the visitor read it, `meaning` what the
    service itself says the field is, in the words of `names.MEANINGS`.
    """

    name: str
    values: tuple[Any, ...]
    label: str = ""
    meaning: str | None = None


@dataclass(frozen=True, slots=True)
class Answers:
    """One submission of a form.

    `at` is when it was filled in, by the service's clock; `page` the address of the page it stood on;
    `extra` what the service tells besides; `document` the JSON it came in, for a mapping's JSON paths.
    """

    items: tuple[Answer, ...] = ()
    at: datetime | None = None
    page: str = ""
    attribution: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[Upload, ...] = ()
    document: Any = None

    @classmethod
    def of(cls, posted: Posted, *, without: Iterable[str] = (), **more: Any) -> Answers:
        """A posted body's fields, each under its own name."""
        left_out = frozenset(without)
        items = tuple(Answer(n, vs) for n, vs in posted.values.items() if n not in left_out)
        return cls(items=items, files=posted.files, **more)
