"""Paths into a JSON document (JSONPath, RFC 9535), as the settings of lines and of programs write them."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated

import jsonpath
from pydantic import AfterValidator


def _is_path(value: str) -> str:
    try:
        compiled(value)
    except jsonpath.JSONPathError as error:
        raise ValueError(f"'{value}' is no JSONPath: {error}") from None
    return value


@lru_cache(maxsize=500)
def compiled(path: str) -> jsonpath.JSONPath | jsonpath.CompoundJSONPath:
    """The path, ready to be looked for; the `$` before it may be left out."""
    return jsonpath.compile(path if path.startswith("$") else f"$.{path}")


#: A path that is checked where it is declared.
JsonPath = Annotated[str, AfterValidator(_is_path)]
