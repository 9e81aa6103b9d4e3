"""Twilio: voice status, `<Dial>`, `<Enqueue>` and `<Record>` actions, recording and transcription callbacks.

Signature: Twilio docs 'Webhooks security', and the official SDK's request_validator.
"""

from __future__ import annotations

import base64
import hmac
import re
from datetime import datetime
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from core.errors import Unreadable
from core.ids import digest
from crm.submission import CallUpdate
from intake import signatures
from intake.calls import dial, reading, twiml
from intake.calls.adapter import CallAdapter, Reply
from intake.calls.connect import AskingLine, Connection, Question
from intake.delivery import Delivery
from intake.errand import Lookup

#: The parameter of our own address that carries the token of a call that we placed.
ORDER = "order"
_ACCOUNT = re.compile(r"/Accounts/(AC[0-9a-fA-F]{32})/")


class TwilioLine(AskingLine):
    """A Twilio line. `shared_keys` are the newer signing keys, by their id."""

    provider: Literal["twilio"]
    auth_token: SecretStr = Field(min_length=1, description="The account's auth token")
    shared_keys: dict[str, Annotated[SecretStr, Field(min_length=1)]] = Field(
        default_factory=dict, description="Signing keys, by key id"
    )
    account_sid: str | None = Field(
        None,
        pattern="^AC[0-9a-fA-F]{32}$",
        description="The account: to place calls and to look for lost ones",
    )
    api_key: str | None = Field(
        None, pattern="^SK[0-9a-fA-F]{32}$", description="An API key to ask with in place of the auth token"
    )
    api_secret: SecretStr | None = Field(None, min_length=1, description="The API key's secret")

    @model_validator(mode="after")
    def _key_with_its_secret(self) -> Self:
        if (self.api_key is None) != (self.api_secret is None):
            raise ValueError("api_key and api_secret belong together")
        return self

    def signed_in(self) -> dict[str, str] | None:
        """The header with which we ask Twilio; None where the line names no account."""
        if self.account_sid is None:
            return None
        if self.api_key is not None and self.api_secret is not None:
            return signatures.basic(self.api_key, self.api_secret)
        return signatures.basic(self.account_sid, self.auth_token)


class Twilio(CallAdapter[TwilioLine]):
    """One callback of Twilio's is one form, posted or, where a number is so configured, in the address."""

    name = "twilio"
    settings = TwilioLine
    content_types: ClassVar[tuple[str, ...]] = (reading.FORM,)
    methods = ("POST", "GET")
    recording_hosts = (".twilio.com",)

    def verify(self, delivery: Delivery, settings: TwilioLine) -> None:
        """Raises Refused unless Twilio signed these parameters for this very address."""
        given = delivery.headers.get("x-twilio-signature", "").encode("latin-1", "replace")
        algorithm, key = _key(delivery.headers.get("x-twilio-webhooks-signature-settings"), settings)
        content = _signed_content(delivery.body)
        # Proxies differ on whether the standard port is part of the address; Twilio's SDK tries both.
        matches = [
            hmac.compare_digest(
                base64.b64encode(hmac.new(key, (url + content).encode(), algorithm).digest()), given
            )
            for url in signatures.spellings(delivery.url)
        ]
        if not any(matches):
            raise signatures.bad()

    def dedupe_key(self, delivery: Delivery, settings: TwilioLine) -> str:
        """The call, what is said of it, and Twilio's own token of the event or else all that is said.

        The token is not signed, so it never stands alone: another event of the call has another key.
        """
        said = reading.told(delivery)
        call_id = said.get("CallSid", "")
        token = delivery.headers.get("i-twilio-idempotency-token")
        event = digest(call_id, *twiml.key(said), token or delivery.url + _signed_content(delivery.body))
        return f"{call_id}:{event}" if re.fullmatch(r"[A-Za-z0-9_.-]{1,100}", call_id) else event

    def parse(self, delivery: Delivery, settings: TwilioLine) -> CallUpdate:
        """What the callback says. Raises Unreadable without a CallSid, Ignored for what asks for nothing."""
        update = twiml.update(
            reading.told(delivery),
            lambda url: self.recording_url(url, settings),
            order=reading.text(reading.query(delivery).get(ORDER)),
        )
        return dial.goes_on(update, delivery)

    def asks(self, delivery: Delivery, settings: TwilioLine) -> Question | None:
        """A call that comes in, or a Dial that nobody answered."""
        return dial.asks(delivery, settings)

    def connecting(self, delivery: Delivery, settings: TwilioLine, connection: Connection) -> Reply:
        """A Dial."""
        return dial.connecting(delivery, settings, connection)

    def answer(self, delivery: Delivery, settings: TwilioLine) -> Reply:
        """TwiML that does nothing."""
        return Reply(twiml.NOTHING, "text/xml")

    def recording(self, said: str, settings: TwilioLine, at: datetime) -> Lookup | None:
        """As MP3; the account that its address names signs in with its token."""
        if not self.may_fetch(said, settings):
            return None
        account = _ACCOUNT.search(urlsplit(said).path)
        name = account[1] if account else settings.account_sid
        if name is None or not urlsplit(said).netloc.endswith("twilio.com"):
            return Lookup(said)
        url = said if said.endswith((".mp3", ".wav")) else f"{said}.mp3"
        return Lookup(url, signatures.basic(name, settings.auth_token))


def _signed_content(body: bytes) -> str:
    """Each parameter's name and values glued together, sorted by name; equal values once, sorted."""
    values: dict[str, set[str]] = {}
    try:
        pairs = reading.pairs(body)
    except Unreadable as error:
        raise reading.malformed(error) from None
    for name, value in pairs:
        values.setdefault(name, set()).add(value)
    return "".join(name + value for name in sorted(values) for value in sorted(values[name]))


def _key(header: str | None, settings: TwilioLine) -> tuple[str, bytes]:
    if not header:
        return "sha1", settings.auth_token.get_secret_value().encode()
    told = dict(part.strip().split("=", 1) for part in header.split(",") if "=" in part)
    secret = settings.shared_keys.get(told.get("key", ""))
    if told.get("algorithm") != "HMAC_SHA256" or secret is None:
        raise signatures.bad()
    return "sha256", secret.get_secret_value().encode()
