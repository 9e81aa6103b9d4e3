"""Does what an event needs done outside before it can be processed.

It is done between two transactions, never inside of one; what came of it stands in the event's envelope, so
that it is done once however often the event is tried afterwards.
"""

from __future__ import annotations

import json
from typing import Any

from core import http, storage
from core.errors import Permanent, Retry, Unavailable
from intake.errand import ASKED, LOOKED_UP, STORED, Errand, Lookup
from intake.mailbox import again

#: Stands for the content that the event was to have; the caller puts it there, it is no fact.
CONTENT = "content"


def run(errand: Errand) -> dict[str, Any]:
    """Does it, all but a mail, and answers with the facts to add.

    Raises Retry where trying again may help, Permanent where it will not.
    """
    facts: dict[str, Any] = {}
    try:
        for key, content in errand.files.items():
            storage.put(key, content)
    except Unavailable as error:
        raise Retry(str(error)) from None
    if errand.files:
        facts[STORED] = list(errand.files)
    if errand.leaves is not None:
        facts[CONTENT] = errand.leaves
    if errand.message is not None:
        facts[CONTENT] = again.fetch(errand.message)
    if errand.lookup is not None:
        facts[LOOKED_UP] = _ask(errand.lookup)
    return facts


def given_up(errand: Errand, words: str) -> dict[str, Any]:
    """The facts where it could not be done and the event goes on without."""
    if errand.mail is not None:
        return {ASKED: f"{errand.mail.to} could not be asked to confirm: {words}"}
    return {LOOKED_UP: {"unanswered": words}}


def _ask(lookup: Lookup) -> Any:
    content = http.ask(lookup.url, dict(lookup.headers), form=lookup.form)
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        raise Permanent("the service answered with no JSON") from None
    if not isinstance(found, dict):
        raise Permanent("the service answered with no JSON object")
    return found
