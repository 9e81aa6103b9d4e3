"""`fields=`: only some parts of what is answered."""

from __future__ import annotations

import json
from typing import Any

from flask import Response, request

from api import refusals
from core.errors import Invalid

NAME = "fields"
PARAMETER = {
    "name": NAME,
    "in": "query",
    "required": False,
    "description": "Only these parts of what is answered, with commas between: id,name,email",
    "schema": {"type": "string", "maxLength": 2000},
}


def document(spec: dict[str, Any]) -> None:
    """Adds the parameter to every operation that answers in JSON."""
    for operations in spec["paths"].values():
        for method, operation in operations.items():
            told = operation.get("responses", {}).get("200", {}).get("content", {})
            if method == "get" and "application/json" in told:
                operation.setdefault("parameters", []).append(PARAMETER)


def narrowed(answer: Response) -> Response:
    """The answer with what was asked for; refused where there is no such part."""
    asked = request.args.get(NAME)
    if (
        asked is None
        or request.method != "GET"
        or answer.status_code != 200
        or not answer.is_json
        or answer.is_streamed
    ):
        return answer
    body = json.loads(answer.get_data())
    items = body["items"] if isinstance(body.get("items"), list) else [body]
    names = [name.strip() for name in asked.split(",") if name.strip()]
    known = {name for item in items[:1] for name in item}
    if not names or (items and (wrong := [name for name in names if name not in known])):
        words = (
            f"has no '{wrong[0][:60]}'; there are {', '.join(sorted(known))}" if names else "names nothing"
        )
        return refusals.of_error(Invalid("some values are not acceptable", {NAME: words}))
    kept = [{name: item[name] for name in names} for item in items]
    answer.set_data(json.dumps(body | {"items": kept} if "items" in body else kept[0]))
    return answer
