"""Twilio: one call to the agent, whose TwiML then dials the client.

Fields: Twilio docs, 'Call resource: create a call', 'TwiML Voice: Dial' and 'Number'. Twilio knows no
repeated request; our token stands in the addresses that it calls back, which it signs.
"""

from __future__ import annotations

from urllib.parse import urlencode
from xml.sax.saxutils import escape, quoteattr

from core.errors import Unreadable
from intake.calls import reading
from intake.calls.dialling.dialler import (
    AGENT_RINGS,
    CLIENT_RINGS,
    Dial,
    Dialler,
    Placed,
    Request,
    no_number,
    not_public,
)
from intake.calls.twilio import ORDER, TwilioLine

_API = "https://api.twilio.com/2010-04-01"
_EVENTS = ("initiated", "ringing", "answered", "completed")


class TwilioDialler(Dialler[TwilioLine]):
    """One request a call."""

    def trouble(self, settings: TwilioLine, address: str) -> str | None:
        """It needs the account and a number to call from."""
        if settings.signed_in() is None:
            return "it has no `account_sid`"
        return no_number(settings) or not_public(address)

    def request(self, kind: str, dial: Dial, settings: TwilioLine) -> Request:
        """The agent's telephone is called from the line's number; whoever picks up is put through."""
        told = f"{dial.address}?{urlencode({ORDER: dial.order})}"
        asked: list[tuple[str, str]] = [
            ("To", dial.agent_number or ""),
            ("From", dial.line_number or ""),
            ("Twiml", _twiml(dial, told)),
            ("Timeout", str(AGENT_RINGS)),
            ("StatusCallback", told),
            ("StatusCallbackMethod", "POST"),
            *(("StatusCallbackEvent", event) for event in _EVENTS),
        ]
        return Request(
            f"{_API}/Accounts/{settings.account_sid}/Calls.json",
            urlencode(asked).encode(),
            {"Content-Type": reading.FORM, **(settings.signed_in() or {})},
        )

    def placed(self, body: bytes, settings: TwilioLine) -> Placed:
        """The call's SID."""
        try:
            return Placed(reading.text(reading.document(body).get("sid")))
        except Unreadable:
            return Placed()


def _twiml(dial: Dial, told: str) -> str:
    return (
        f"<Response><Dial callerId={quoteattr(dial.line_number or '')} timeout={quoteattr(str(CLIENT_RINGS))}"
        f' action={quoteattr(told)} method="POST">'
        f"<Number statusCallback={quoteattr(told)} statusCallbackEvent={quoteattr(' '.join(_EVENTS))}>"
        f"{escape(dial.client_number)}</Number></Dial></Response>"
    )
