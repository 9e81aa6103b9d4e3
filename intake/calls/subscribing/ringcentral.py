"""RingCentral: subscriptions to telephony sessions, whose webhooks end by themselves.

Requests: developers.ringcentral.com, 'Create, Update, Renew, List Webhook Subscription' and 'Troubleshooting
webhooks'. A subscription whose address did not answer is `Blacklisted` or `Suspended` and never sends again.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from core.errors import Unreadable
from core.ids import digest
from intake.calls import reading
from intake.calls.dialling.dialler import not_public
from intake.calls.ringcentral import RingCentralLine
from intake.calls.subscribing.subscriber import Asked, Subscriber, Subscription

_API = "https://platform.ringcentral.com/restapi/v1.0/subscription"
#: Seconds: a week, so that what is no longer looked after ends soon.
_LIFETIME = 7 * 24 * 3600


class RingCentralSubscriber(Subscriber[RingCentralLine]):
    """One subscription a line, known again by our address in it."""

    def trouble(self, settings: RingCentralLine, address: str) -> str | None:
        """It needs an application to sign in with, and an address that RingCentral can reach."""
        if settings.client_id is None or settings.client_secret is None or settings.jwt is None:
            return "it has no `client_id`, `client_secret` and `jwt`"
        return not_public(address)

    def asks_for(self, settings: RingCentralLine, address: str) -> str:
        """The address, the token and the events."""
        said = (address, settings.verification_token.get_secret_value(), *settings.event_filters)
        return digest(*said)[:64]

    def find(self, settings: RingCentralLine) -> Asked:
        """All of the application's."""
        return Asked("GET", _API)

    def found(self, body: bytes, address: str) -> Subscription | None:
        """The one with our address, rather one that lives."""
        records = reading.document(body).get("records")
        if not isinstance(records, list):
            raise Unreadable("there is no list of subscriptions in it")
        ours = [r for r in records if isinstance(r, dict)]
        ours = [r for r in ours if reading.inner(r, "deliveryMode", "address") == address]
        return min(map(_subscription, ours), key=lambda s: (not s.alive, s.id), default=None)

    def make(self, settings: RingCentralLine, address: str) -> Asked:
        """A subscription of a week; before the answer comes, the address is tried."""
        return _json("POST", _API, _body(settings.event_filters, settings, address))

    def renew(self, known: Subscription, settings: RingCentralLine) -> Asked:
        """Another week of the same."""
        return Asked("POST", f"{_one(known)}/renew")

    def change(self, known: Subscription, settings: RingCentralLine, address: str) -> Asked:
        """Another week, with our token; of what it was for, nothing is taken away."""
        events = list(dict.fromkeys([*settings.event_filters, *known.events]))
        return _json("PUT", _one(known), _body(events, settings, address))

    def drop(self, known: Subscription, settings: RingCentralLine) -> Asked:
        """It is deleted."""
        return Asked("DELETE", _one(known))

    def told(self, body: bytes) -> Subscription:
        """The one that is answered."""
        return _subscription(reading.document(body))


def _one(known: Subscription) -> str:
    return f"{_API}/{quote(known.id, safe='')}"


def _body(events: list[str], settings: RingCentralLine, address: str) -> dict[str, Any]:
    token = settings.verification_token.get_secret_value()
    mode = {"transportType": "WebHook", "address": address, "verificationToken": token}
    return {"eventFilters": events, "deliveryMode": mode, "expiresIn": _LIFETIME}


def _json(method: str, url: str, said: dict[str, Any]) -> Asked:
    return Asked(method, url, json.dumps(said).encode())


def _subscription(said: dict[str, Any]) -> Subscription:
    found = reading.text(said.get("id"))
    if found is None:
        raise Unreadable("there is no id of a subscription in it")
    filters = said.get("eventFilters")
    return Subscription(
        found,
        alive=str(said.get("status") or "").lower() == "active",
        expires_at=reading.moment(said.get("expirationTime")),
        events=tuple(f for f in filters if isinstance(f, str)) if isinstance(filters, list) else (),
    )
