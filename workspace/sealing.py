"""Seals what is secret in a document before it is stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, SecretStr

from core import secrets
from workspace.document import Path
from workspace.schema import WorkspaceFile


def sealed(values: Mapping[str, Any], file: WorkspaceFile) -> dict[str, Any]:
    """The values as written, with every secret that is not a reference sealed."""
    stored: dict[str, Any] = _copied(values)
    for path in _secret_paths(file, ()):
        around: Any = stored
        for step in path[:-1]:
            around = around[step]
        written = around[path[-1]]
        if isinstance(written, str) and not secrets.references(written) and not secrets.is_sealed(written):
            around[path[-1]] = secrets.seal(written)
    return stored


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _copied(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_copied(v) for v in value]
    return value


def _secret_paths(value: Any, path: Path) -> Iterator[Path]:
    if isinstance(value, SecretStr):
        yield path
    elif isinstance(value, BaseModel):
        for name in value.model_fields_set:
            written = type(value).model_fields[name].alias or name
            yield from _secret_paths(getattr(value, name), (*path, written))
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _secret_paths(inner, (*path, key))
    elif isinstance(value, list | tuple):
        for place, inner in enumerate(value):
            yield from _secret_paths(inner, (*path, place))
