"""What the API answers to a row that is made, and to one that does not fit."""

from __future__ import annotations

from typing import Any

from tests.api.conftest import Ask


def made(ask: Ask, path: str, **body: Any) -> dict[str, Any]:
    """The row that was made, which has an address of its own."""
    answer = ask("POST", path, json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json
    if "id" in found:
        assert answer.headers["Location"].endswith(f"{path}/{found['id']}")
    return found


def wrong(answer: Any, status: int = 422) -> set[str]:
    """The fields that are pointed at."""
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/problem+json"
    return {e["field"] for e in answer.json.get("errors", ())}
