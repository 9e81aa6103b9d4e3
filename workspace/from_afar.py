"""What is sent from afar, and may neither choose among the machine's secrets nor have one shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy.orm import Session

from core import secrets
from core.errors import Invalid
from workspace.export import export


def check_references(session: Session, parts: Mapping[str, Any]) -> None:
    """Lets `${NAME}` and what is sealed be sent back only as it stands: the same text under the same word.

    Before anything is resolved or opened: neither a page nor the words of a mistake may show a value. Raises
    Invalid, naming the first that is none of these.
    """
    written = set(_written(parts))
    if not written:
        return
    for word, text in sorted(written - set(_written(export(session)))):
        if secrets.is_sealed(text):
            raise Invalid(
                f"a sealed value may be sent back where it stands, and does not stand under '{word}'"
            )
        name = min(secrets.references(text))
        raise Invalid(
            f"${{{name}}} is no value that the workspace has from the environment under '{word}': write it "
            "into the workspace file"
        )


def _written(value: Any, word: str = "") -> Iterator[tuple[str, str]]:
    """The texts with a reference in them, each with the word that it stands under."""
    if isinstance(value, str):
        if secrets.references(value) or secrets.is_sealed(value):
            yield word, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _written(str(key), word)
            yield from _written(inner, str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from _written(inner, word)
