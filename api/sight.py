"""What a caller may see and change among the elements: checked before a route is entered."""

from __future__ import annotations

from typing import Any

from flask import Request
from sqlalchemy.orm import Session

from core.errors import Invalid, NotAllowed, NotFound
from crm import rights, workspace
from models.user import Role, User

_READING = ("GET", "HEAD", "OPTIONS")
#: What is about everything at once: for those who see everything.
WHOLE = frozenset({"events", "feed", "webhooks", "webhook-deliveries", "imports", "storms"})


def enter(session: Session, request: Request, user: User | None, role: Role) -> None:
    """Narrows what is read from now on to what the user sees, and looks at what the request names.

    Raises NotFound for what is not in their sight, NotAllowed for what they see and may not change,
    Invalid for what a body names of either.
    """
    rights.look(None)
    if user is None:
        return
    right = rights.of_role(role, workspace.load(session).rights)
    seen = rights.sight(session, user, right.see)
    changed = rights.sight(session, user, right.change)
    if seen is None and changed is None:
        return
    parts = request.path.removeprefix("/api/v1/").split("/")
    place, row_id = parts[0], (request.view_args or {}).get("id")
    if seen is not None and place in WHOLE:
        raise NotAllowed("this is for those who see everything")
    writes = request.method not in _READING
    for what, failure in ((seen, NotFound("there is no such thing")), (changed, None)):
        if what is None or (failure is None and not writes):
            continue
        with rights.seeing(what):
            if isinstance(row_id, int) and rights.missing(session, place, row_id):
                raise failure or NotAllowed("you see it, but may not change it")
            if (
                writes
                and request.is_json
                and (wrong := list(rights.unseen(session, _body(request), other=place)))
            ):
                words = "is not there" if failure else "is not yours to change"
                raise Invalid("some values are not acceptable", dict.fromkeys(wrong, words))
    rights.look(seen)


def _body(request: Request) -> Any:
    return request.get_json(silent=True)
