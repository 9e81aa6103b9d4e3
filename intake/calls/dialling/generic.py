"""Any telephone system that places a call when it is asked over HTTP, as the line's `dial` declares it."""

from __future__ import annotations

import json
from typing import ClassVar

from core.errors import Unreadable
from intake import json_path
from intake.calls import reading
from intake.calls.dialling.dialler import Dial, Dialler, Placed, Request
from intake.calls.generic import GenericLine


class GenericDialler(Dialler[GenericLine]):
    """One request a call; the telephone system rings the agent and then the client by itself."""

    by_extension: ClassVar[bool] = True

    def trouble(self, settings: GenericLine, address: str) -> str | None:
        """It needs a request, and a way to know the call again."""
        if settings.dial is None:
            return "it has no `dial`, the request that places a call"
        if settings.dial.call_id is None and "order" not in settings.mapping:
            return "nothing says how its calls are known again: set `dial.call_id` or `mapping.order`"
        return None

    def request(self, kind: str, dial: Dial, settings: GenericLine) -> Request:
        """The declared request with what is known of the call filled in."""
        declared = settings.dial
        if declared is None:
            raise Unreadable("the line places no calls any more")
        known = {
            "agent_number": dial.agent_number or "",
            "agent_extension": dial.agent_extension or "",
            "agent_email": dial.agent_email,
            "client_number": dial.client_number,
            "line_number": dial.line_number or "",
            "order": dial.order,
        }
        signed_in = {n: declared.filled(v.get_secret_value(), known) for n, v in declared.headers.items()}
        return Request(
            declared.filled(declared.url, known, quoted=True),
            json.dumps(declared.filled(declared.body, known)).encode(),
            {"Content-Type": reading.JSON, **signed_in},
        )

    def placed(self, body: bytes, settings: GenericLine) -> Placed:
        """What lies at the declared path of the answer."""
        path = settings.dial.call_id if settings.dial else None
        if path is None:
            return Placed()
        try:
            found = json_path.compiled(path).match(reading.document(body))
            return Placed(reading.call_id(found.obj) if found is not None else None)
        except Unreadable:
            return Placed()
