"""Signs in to providers that want an access token for what is asked of them."""

from __future__ import annotations

import json
from typing import Any

from core import http
from core.errors import Retry
from intake.calls import CallAdapter, LineSettings


def bearer(adapter: CallAdapter[Any], line: LineSettings) -> dict[str, str]:
    """The header of an access token, asked for anew each time; nothing for providers that want none.

    Raises Retry where none is given now, Permanent where the provider does not let us in.
    """
    entry = adapter.sign_in(line)
    if entry is None:
        return {}
    try:
        token = json.loads(http.ask(entry.url, dict(entry.headers), form=entry.form)).get("access_token")
    except (ValueError, AttributeError):
        token = None
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise Retry("the provider gave no access token")
    return {"Authorization": f"Bearer {token}"}
