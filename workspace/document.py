"""The workspace file as YAML that remembers its lines, so that a mistake can be pointed at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from io import StringIO
from pathlib import Path as FilePath
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import ConstructorError, DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from core.errors import Invalid

Path = tuple[str | int, ...]
_LARGEST = 5_000_000


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file, both as people count them."""

    file: str
    line: int


@dataclass
class Document:
    """Plain values, and where each came from."""

    values: dict[str, Any] = field(default_factory=dict)
    places: dict[Path, Place] = field(default_factory=dict)

    def place(self, path: Path) -> Place | None:
        """Where a value stands, or the nearest thing around it."""
        while path not in self.places and path:
            path = path[:-1]
        return self.places.get(path)

    def value(self, path: Path) -> Any:
        """The value at a path; None where the path leads nowhere."""
        found: Any = self.values
        for step in path:
            try:
                found = found[step]
            except (KeyError, IndexError, TypeError):
                return None
        return found


def read(path: FilePath) -> Document:
    """A file, or all *.yaml of a folder as one: their lists are put after each other.

    Raises Invalid with file and line for what cannot be read.
    """
    files: Iterable[FilePath] = [path]
    if path.is_dir():
        files = sorted([*path.glob("*.yaml"), *path.glob("*.yml")])
    whole = Document()
    for file in files:
        _join(whole, _read_file(file))
    if not whole.values:
        raise Invalid(f"{path}: there is nothing in it")
    return whole


def _read_file(file: FilePath) -> Document:
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise Invalid(f"{file}: {error.strerror}") from None
    return parse(raw, str(file))


def parse(raw: bytes, file: str) -> Document:
    """A part that comes from no file is known by whatever `file` says. Raises Invalid as `read` does."""
    if len(raw) > _LARGEST:
        raise Invalid(f"{file}: larger than {_LARGEST} bytes")
    try:
        node = YAML(typ="rt").load(raw.decode())
    except UnicodeDecodeError as error:
        raise Invalid(f"{file}: is not UTF-8 (byte {error.start})") from None
    except (MarkedYAMLError, DuplicateKeyError, ConstructorError) as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise Invalid(f"{file}:{line}: {str(error.problem).splitlines()[0]}") from None
    except (YAMLError, RecursionError, ValueError) as error:
        raise Invalid(f"{file}: {str(error).splitlines()[0]}") from None
    document = Document()
    if node is None:
        return document
    if not isinstance(node, dict):
        raise Invalid(f"{file}:1: a workspace file is a mapping of parts such as 'rules:'")
    document.values = _plain(node, (), file, 1, document.places)
    return document


def _plain(node: Any, path: Path, file: str, line: int, places: dict[Path, Place]) -> Any:
    places[path] = Place(file, line)
    if isinstance(node, dict):
        lines = getattr(node, "lc", None)
        return {
            str(key): _plain(value, (*path, str(key)), file, lines.key(key)[0] + 1 if lines else line, places)
            for key, value in node.items()
        }
    if isinstance(node, list):
        lines = getattr(node, "lc", None)
        return [
            _plain(value, (*path, place), file, lines.item(place)[0] + 1 if lines else line, places)
            for place, value in enumerate(node)
        ]
    if isinstance(node, bool) or node is None:
        return node
    for kind in (str, int, float):
        if isinstance(node, kind):
            return kind(node)
    if isinstance(node, date | datetime | timedelta):
        return str(node)
    raise Invalid(f"{file}:{line}: a value of this kind is not understood")


def _join(whole: Document, part: Document) -> None:
    for key, value in part.values.items():
        shift = 0
        if key not in whole.values:
            whole.values[key] = value
        elif isinstance(value, list) and isinstance(whole.values[key], list):
            shift = len(whole.values[key])
            whole.values[key] = [*whole.values[key], *value]
        else:
            place = part.places[(key,)]
            raise Invalid(f"{place.file}:{place.line}: '{key}' stands in another file already")
        for path, place in part.places.items():
            if path[:1] == (key,):
                moved = (
                    (key, path[1] + shift, *path[2:])
                    if shift and len(path) > 1 and isinstance(path[1], int)
                    else path
                )
                whole.places[moved] = place


def write(values: dict[str, Any]) -> str:
    """The values as YAML, in their order."""

    yaml = YAML()
    yaml.default_flow_style = False
    yaml.width = 120
    out = StringIO()
    yaml.dump(values, out)
    return out.getvalue()
