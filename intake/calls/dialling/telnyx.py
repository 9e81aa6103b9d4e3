"""Telnyx: Call Control dials the agent; when they answer, their call is transferred to the client.

Fields: the official SDK's call_dial_params, calls/action_transfer_params and action_hangup_params. Telnyx
ignores a second command with the same `command_id`; our token stands in `client_state`.
"""

from __future__ import annotations

import json
from typing import ClassVar
from urllib.parse import quote

from core.errors import Unreadable
from core.ids import digest
from intake.calls import reading
from intake.calls.dialling.dialler import (
    AGENT_RINGS,
    CLIENT_RINGS,
    Dial,
    Dialler,
    Placed,
    Request,
    Transfer,
    no_number,
    not_public,
)
from intake.calls.telnyx import TelnyxLine, client_state, put_through_state

_API = "https://api.telnyx.com/v2/calls"


class TelnyxDialler(Dialler[TelnyxLine]):
    """Up to three commands a call."""

    repeatable: ClassVar[bool] = True

    def trouble(self, settings: TelnyxLine, address: str) -> str | None:
        """It needs a key, an application and a number to call from."""
        if settings.api_key is None or settings.connection_id is None:
            return "it has no `api_key` and `connection_id`"
        return no_number(settings) or not_public(address)

    def request(self, kind: str, dial: Dial, settings: TelnyxLine) -> Request:
        """`dial` rings the agent, `connect` the client, `hangup` ends what nobody answered."""
        asked: dict[str, object] = {"command_id": f"{dial.order}-{kind}"}
        url = _API
        if kind == "dial":
            asked |= {
                "connection_id": settings.connection_id,
                "to": dial.agent_number,
                "from": dial.line_number,
                "timeout_secs": AGENT_RINGS,
                "client_state": client_state(dial.order, "agent"),
                "webhook_url": dial.address,
            }
        else:
            action = "transfer" if kind == "connect" else "hangup"
            url = f"{_API}/{quote(dial.handle or '', safe='')}/actions/{action}"
        if kind == "connect":
            asked |= {
                "to": dial.client_number,
                "from": dial.line_number,
                "timeout_secs": CLIENT_RINGS,
                "client_state": client_state(dial.order, "agent"),
                "target_leg_client_state": client_state(dial.order, "client"),
            }
        return _request(url, asked, settings)

    def transfer(self, transfer: Transfer, settings: TelnyxLine) -> Request:
        """`transfer` rings whoever is to answer; where they do not, the caller's connection stays."""
        named = digest(transfer.handle, transfer.kind, str(transfer.id))
        asked: dict[str, object] = {"command_id": named[:40]}
        if transfer.kind != "hangup":
            asked |= {
                "to": transfer.number,
                "timeout_secs": transfer.seconds,
                "target_leg_client_state": put_through_state(transfer.handle, transfer.kind),
            }
        action = "hangup" if transfer.kind == "hangup" else "transfer"
        return _request(f"{_API}/{quote(transfer.handle, safe='')}/actions/{action}", asked, settings)

    def placed(self, body: bytes, settings: TelnyxLine) -> Placed:
        """The session, which all connections of the call share, and the agent's connection."""
        try:
            data = reading.inner(reading.document(body), "data") or {}
        except Unreadable:
            return Placed()
        session, handle = reading.inner(data, "call_session_id"), reading.inner(data, "call_control_id")
        return Placed(reading.text(session), reading.text(handle, 500))


def _request(url: str, asked: dict[str, object], settings: TelnyxLine) -> Request:
    key = settings.api_key.get_secret_value() if settings.api_key else ""
    headers = {"Content-Type": reading.JSON, "Authorization": f"Bearer {key}"}
    return Request(url, json.dumps(asked).encode(), headers)
