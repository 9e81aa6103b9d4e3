"""SignalWire: cXML (LaML) callbacks, which have the shape of TwiML's; a CallSid is a UUID.

Signature: the official SDK's signalwire/core/security/webhook_validator, its scheme for forms. The signing
key is not the API token.
"""

from __future__ import annotations

import base64
import hmac
from typing import ClassVar, Literal

from pydantic import Field, SecretStr

from core.errors import Unreadable
from core.ids import digest
from crm.submission import CallUpdate
from intake import signatures
from intake.calls import dial, reading, twiml
from intake.calls.adapter import CallAdapter, Reply
from intake.calls.connect import AskingLine, Connection, Question
from intake.delivery import Delivery


class SignalWireLine(AskingLine):
    """A SignalWire line."""

    provider: Literal["signalwire"]
    signing_key: SecretStr = Field(min_length=1, description="The project's signing key")


class SignalWire(CallAdapter[SignalWireLine]):
    """One callback is one form."""

    name = "signalwire"
    settings = SignalWireLine
    content_types: ClassVar[tuple[str, ...]] = (reading.FORM,)
    recording_hosts = (".signalwire.com",)

    def verify(self, delivery: Delivery, settings: SignalWireLine) -> None:
        """Raises Refused unless SignalWire signed these parameters for this very address."""
        headers = delivery.headers
        given = headers.get("x-signalwire-signature") or headers.get("x-twilio-signature", "")
        key = settings.signing_key.get_secret_value().encode()
        try:
            pairs = reading.pairs(delivery.body)
        except Unreadable as error:
            raise reading.malformed(error) from None
        # Sorted by name; equal names stay in the order in which they were sent.
        content = "".join(name + value for name, value in sorted(pairs, key=lambda pair: pair[0]))
        matches = [
            hmac.compare_digest(
                base64.b64encode(hmac.new(key, (url + content).encode(), "sha1").digest()),
                given.encode("latin-1", "replace"),
            )
            for url in signatures.spellings(delivery.url)
        ]
        if not any(matches):
            raise signatures.bad()

    def dedupe_key(self, delivery: Delivery, settings: SignalWireLine) -> str:
        """The call and all that is said of it."""
        return digest(*twiml.key(reading.told(delivery)), delivery.body)

    def parse(self, delivery: Delivery, settings: SignalWireLine) -> CallUpdate:
        """What the callback says. Raises Unreadable without a CallSid, Ignored for what asks for nothing."""
        update = twiml.update(reading.told(delivery), lambda url: self.recording_url(url, settings))
        return dial.goes_on(update, delivery)

    def asks(self, delivery: Delivery, settings: SignalWireLine) -> Question | None:
        """A call that comes in, or a Dial that nobody answered."""
        return dial.asks(delivery, settings)

    def connecting(self, delivery: Delivery, settings: SignalWireLine, connection: Connection) -> Reply:
        """A Dial."""
        return dial.connecting(delivery, settings, connection)

    def answer(self, delivery: Delivery, settings: SignalWireLine) -> Reply:
        """cXML that does nothing."""
        return Reply(twiml.NOTHING, "text/xml")
