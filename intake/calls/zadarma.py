"""Zadarma: notifications of its PBX.

Fields and signature: the official user-api-v1 library, its lib/Webhook and Api::getWebhookEvent. Each kind
of notification signs other fields; what is not signed (the length, the disposition) is taken at its word.
The address is tried with `zd_echo`. `call_start` has no zone: it counts only where the line says which one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Literal
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr

from core.errors import Ignored, Unreadable
from crm.submission import CallUpdate
from intake import signatures
from intake.calls import reading
from intake.calls.adapter import CallAdapter, Reply
from intake.calls.line import LineSettings, TimeZone
from intake.delivery import Delivery
from intake.errand import Lookup
from intake.text import clean
from models.call import CallResult

# What each kind signs, in this order.
_INBOUND = ("caller_id", "called_did", "call_start")
_SIGNED = {
    "NOTIFY_START": _INBOUND,
    "NOTIFY_INTERNAL": _INBOUND,
    "NOTIFY_END": _INBOUND,
    "NOTIFY_IVR": _INBOUND,
    "NOTIFY_ANSWER": ("caller_id", "destination", "call_start"),
    "NOTIFY_OUT_START": ("internal", "destination", "call_start"),
    "NOTIFY_OUT_END": ("internal", "destination", "call_start"),
    "NOTIFY_RECORD": ("pbx_call_id", "call_id_with_rec"),
}
_DISPOSITIONS = {
    "answered": CallResult.ANSWERED,
    "busy": CallResult.BUSY,
    "cancel": CallResult.MISSED,
    "no answer": CallResult.MISSED,
}


class ZadarmaLine(LineSettings):
    """A Zadarma line."""

    provider: Literal["zadarma"]
    api_secret: SecretStr = Field(min_length=1, description="The account's API secret")
    api_key: SecretStr | None = Field(None, min_length=1, description="The API key, to fetch recordings")
    timezone: TimeZone | None = Field(None, description="The account's time zone")


class Zadarma(CallAdapter[ZadarmaLine]):
    """One notification is one form."""

    name = "zadarma"
    settings = ZadarmaLine
    content_types: ClassVar[tuple[str, ...]] = (reading.FORM,)
    recording_hosts = (".zadarma.com",)

    def handshake(self, delivery: Delivery, settings: ZadarmaLine) -> Reply | None:
        """`zd_echo` as it came."""
        echo = reading.query(delivery).get("zd_echo")
        if echo is None and delivery.method == "POST" and delivery.body.startswith(b"zd_echo="):
            echo = reading.form(delivery.body).get("zd_echo")
        return None if echo is None else Reply(clean(echo)[:200].encode())

    def verify(self, delivery: Delivery, settings: ZadarmaLine) -> None:
        """Raises Refused unless Zadarma signed the fields that this kind of notification signs."""
        try:
            said = reading.form(delivery.body)
        except Unreadable as error:
            raise reading.malformed(error) from None
        names = _SIGNED.get(said.get("event", ""), _INBOUND)
        content = "".join(said.get(name, "") for name in names)
        key = settings.api_secret.get_secret_value().encode()
        expected = base64.b64encode(hmac.new(key, content.encode(), "sha1").hexdigest().encode()).decode()
        signatures.same(delivery.headers.get("signature", ""), expected)

    def parse(self, delivery: Delivery, settings: ZadarmaLine) -> CallUpdate:
        """What the notification says. Raises Unreadable without an id, Ignored for other kinds."""
        said = reading.form(delivery.body)
        kind = said.get("event", "")
        if kind not in _SIGNED:
            raise Ignored(f"a notification that is not known: '{clean(kind)[:40]}'")
        call_id = reading.call_id(said.get("pbx_call_id"))
        if kind == "NOTIFY_RECORD":
            own = reading.text(said.get("call_id_with_rec"))
            return CallUpdate(call_id=call_id, event=kind, recording_id=own, message=True)
        out = kind.startswith("NOTIFY_OUT")
        over = kind in ("NOTIFY_END", "NOTIFY_OUT_END")
        caller = said.get("internal" if out else "caller_id")
        started = (
            reading.moment(said.get("call_start"), ZoneInfo(settings.timezone)) if settings.timezone else None
        )
        disposition = said.get("disposition", "").lower()
        result = _DISPOSITIONS.get(disposition, CallResult.FAILED) if over else None
        if kind == "NOTIFY_ANSWER":
            result = CallResult.ANSWERED
        answered = result is CallResult.ANSWERED
        by = said.get("internal") or (said.get("destination") if kind == "NOTIFY_ANSWER" else None)
        return CallUpdate(
            call_id=call_id,
            event=kind,
            direction="outbound" if out else "inbound",
            from_number=reading.international(caller),
            to_number=None
            if kind == "NOTIFY_ANSWER"
            else reading.international(said.get("destination" if out else "called_did")),
            result=result,
            final=over,
            started_at=started if kind in ("NOTIFY_START", "NOTIFY_OUT_START", "NOTIFY_END") else None,
            talk_seconds=reading.seconds(said.get("duration")) if over else None,
            recording_id=reading.text(said.get("call_id_with_rec"))
            if said.get("is_recorded") == "1"
            else None,
            message=said.get("is_recorded") == "1",
            answered_by=reading.text(by) if answered and not out else None,
            withheld=not out and "caller_id" in said and reading.is_withheld(caller),
        )

    def recording(self, said: str, settings: ZadarmaLine, at: datetime) -> Lookup | None:
        """The question where the recording of this id lies."""
        if settings.api_key is None:
            return None
        return request(settings, "/v1/pbx/record/request/", {"call_id": said})

    def linked(self, said: str, content: bytes) -> str | None:
        """The link in the answer to that question."""
        if not content.startswith(b"{"):
            return None
        found = reading.document(content)
        return reading.text(found.get("link"), 2000) or ""


def request(settings: ZadarmaLine, method: str, asked: Mapping[str, str]) -> Lookup:
    """A question to the API, signed as its official library signs."""
    query = urlencode(sorted({**asked, "format": "json"}.items()))
    content = f"{method}{query}{hashlib.md5(query.encode(), usedforsecurity=False).hexdigest()}"
    key = settings.api_secret.get_secret_value().encode()
    signature = base64.b64encode(hmac.new(key, content.encode(), "sha1").hexdigest().encode()).decode()
    name = settings.api_key.get_secret_value() if settings.api_key else ""
    return Lookup(f"https://api.zadarma.com{method}?{query}", {"Authorization": f"{name}:{signature}"})
