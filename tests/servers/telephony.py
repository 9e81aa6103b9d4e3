"""What telephony providers send, signed as they sign: by their own SDK where it signs, else by their scheme."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from plivo.utils.signature_v3 import construct_post_url, get_signature_v3
from standardwebhooks import Webhook
from twilio.request_validator import RequestValidator, get_signature_algorithm

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
#: The half of Telnyx's key that is not ours to have.
TELNYX_KEY = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"telnyx").digest())
#: A line of each provider, without what all lines have.
LINES: dict[str, dict[str, Any]] = {
    "twilio": {"auth_token": "3f0d2c1b4a5968778695a4b3c2d1e0f9"},
    "vonage": {"signature_secret": "a-signature-secret-of-32-and-more-characters"},
    "telnyx": {"public_key": base64.b64encode(TELNYX_KEY.public_key().public_bytes_raw()).decode()},
    "plivo": {"auth_token": "MAXXXXXXXXXXXXXXXXXXtokentesttokentest01"},
    "signalwire": {"signing_key": "PSK_test_signing_key_0123456789"},
    "aircall": {"token": "cebcaac65f0e4b1d9a7f"},
    "zadarma": {"api_secret": "8a8e91d214fb728889c7", "timezone": "Europe/Lisbon"},
    "ringcentral": {"verification_token": "rc-verify-7f3a9c"},
    "exotel": {"url_token": "k_9f2c7d1e", "country": "IN"},
    "3cx": {"secret": "3cx_77aa01"},
    "asterisk": {"secret": "ast_5c1f0b"},
    "generic": {"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
    "bitrix24": {"secret": "51610fefc120afd4"},
}
_ZADARMA = {
    "NOTIFY_ANSWER": ("caller_id", "destination", "call_start"),
    "NOTIFY_OUT_START": ("internal", "destination", "call_start"),
    "NOTIFY_OUT_END": ("internal", "destination", "call_start"),
    "NOTIFY_RECORD": ("pbx_call_id", "call_id_with_rec"),
}


def request(
    provider: str, url: str, said: Mapping[str, Any], at: datetime, line: Mapping[str, Any] | None = None
) -> tuple[str, str, dict[str, str], bytes]:
    """Method, address, headers and body with which the provider would say this, at this moment."""
    line = line or LINES[provider]
    if provider == "exotel":
        query = urlencode({"key": line["url_token"], **said})
        return "GET", f"{url}?{query}", {}, b""
    if provider == "bitrix24":
        said = dict(said)
        address = f"{url}/1/{line['secret']}/{said.pop('method')}.json"
        return "POST", address, {"Content-Type": FORM}, urlencode(said).encode()
    if provider in ("twilio", "plivo", "signalwire", "zadarma"):
        body = urlencode(said).encode()
        return "POST", url, {"Content-Type": FORM} | _signed_form(provider, url, said, line), body
    body = json.dumps(said, separators=(",", ":")).encode()
    return "POST", url, {"Content-Type": JSON} | _signed_json(provider, body, at, line), body


def _signed_form(provider: str, url: str, said: Mapping[str, Any], line: Mapping[str, Any]) -> dict[str, str]:
    if provider == "twilio":
        return {"X-Twilio-Signature": RequestValidator(line["auth_token"]).compute_signature(url, dict(said))}
    if provider == "plivo":
        nonce = "00000014218236653400"
        base = construct_post_url(url, dict(said)).decode()
        signature = get_signature_v3(line["auth_token"].encode(), base, nonce).decode()
        return {"X-Plivo-Signature-V3": signature, "X-Plivo-Signature-V3-Nonce": nonce}
    if provider == "signalwire":
        content = url + "".join(name + str(said[name]) for name in sorted(said))
        digest = hmac.new(line["signing_key"].encode(), content.encode(), "sha1").digest()
        return {"X-SignalWire-Signature": base64.b64encode(digest).decode()}
    names = _ZADARMA.get(said["event"], ("caller_id", "called_did", "call_start"))
    content = "".join(str(said.get(name, "")) for name in names)
    made = hmac.new(line["api_secret"].encode(), content.encode(), "sha1").hexdigest()
    return {"Signature": base64.b64encode(made.encode()).decode()}


def _signed_json(provider: str, body: bytes, at: datetime, line: Mapping[str, Any]) -> dict[str, str]:
    seconds = int(at.timestamp())
    if provider == "vonage":
        claims = {"iat": seconds, "jti": "j", "iss": "Vonage", "api_key": "a1b2c3d4"}
        claims |= {"application_id": "app", "payload_hash": hashlib.sha256(body).hexdigest()}
        return {"Authorization": f"Bearer {jwt.encode(claims, line['signature_secret'], 'HS256')}"}
    if provider == "telnyx":
        signature = TELNYX_KEY.sign(f"{seconds}|".encode() + body)
        encoded = base64.b64encode(signature).decode()
        return {"Telnyx-Signature-Ed25519": encoded, "Telnyx-Timestamp": str(seconds)}
    if provider == "ringcentral":
        return {"Verification-Token": line["verification_token"]}
    if provider == "3cx":
        return {"Authorization": f"Bearer {line['secret']}"}
    if provider == "asterisk":
        content = f"{seconds}.".encode() + body
        digest = hmac.new(line["secret"].encode(), content, "sha256").hexdigest()
        return {"X-Signature": f"sha256={digest}", "X-Timestamp": str(seconds)}
    if provider == "generic":
        key = "msg_" + hashlib.sha256(body).hexdigest()[:26]
        signed = Webhook(line["secret"]).sign(key, at, body.decode())
        return {"webhook-id": key, "webhook-timestamp": str(seconds), "webhook-signature": signed}
    return {}  # Aircall's token stands in the body


def accepted_by_sdk(
    provider: str, url: str, headers: Mapping[str, str], body: bytes, line: Mapping[str, Any]
) -> bool | None:
    """What the provider's own SDK says of a request; None where there is none for it."""
    names = {name.lower(): value for name, value in headers.items()}
    fields = dict(parse_qsl(body.decode(), keep_blank_values=True)) if provider in _FORMS else {}
    if provider == "plivo":
        from plivo.utils import validate_v3_signature

        nonce, signature = names["x-plivo-signature-v3-nonce"], names["x-plivo-signature-v3"]
        return bool(validate_v3_signature("POST", url, nonce, line["auth_token"], signature, fields))
    if provider == "signalwire":
        from signalwire.core.security.webhook_validator import validate_webhook_signature

        signature = names["x-signalwire-signature"]
        return validate_webhook_signature(line["signing_key"], signature, url, body.decode())
    if provider == "twilio":
        return _accepted_by_twilio(url, names, fields, line)
    if provider == "vonage":
        from vonage_jwt import verify_signature

        token = names["authorization"].removeprefix("Bearer ")
        claims = jwt.decode(token, options={"verify_signature": False})
        own = claims["payload_hash"] == hashlib.sha256(body).hexdigest()  # which the SDK leaves to its user
        return own and verify_signature(token, line["signature_secret"])
    return None


def _accepted_by_twilio(
    url: str, names: Mapping[str, str], fields: Mapping[str, str], line: Mapping[str, Any]
) -> bool:
    """Which key a key id names is its caller's business in Twilio's SDK too."""
    told = names.get("x-twilio-webhooks-signature-settings", "")
    key_id = dict(part.split("=", 1) for part in told.split(",") if part).get("key")
    token = line.get("shared_keys", {}).get(key_id) if key_id else line["auth_token"]
    if token is None:
        return False
    signature = names["x-twilio-signature"]
    return bool(RequestValidator(token).validate(url, fields, signature, get_signature_algorithm(told)))


_FORMS = ("twilio", "plivo", "signalwire")


def accepted_by_timed_sdk(
    provider: str, headers: Mapping[str, str], body: bytes, line: Mapping[str, Any]
) -> bool | None:
    """As above, of SDKs that look at the clock."""
    names = {name.lower(): value for name, value in headers.items()}
    if provider == "telnyx":
        from telnyx.lib.webhook_verification import WebhookVerificationError, verify_webhook_signature

        try:
            verify_webhook_signature(body, names, line["public_key"])
        except WebhookVerificationError:
            return False
        return True
    if provider == "generic" and "webhook-id" in names:
        from standardwebhooks import WebhookVerificationError as Wrong

        try:
            Webhook(line["secret"]).verify(body, names)
        except Wrong:
            return False
        return True
    return None


def path_of(url: str) -> str:
    """An address without its host."""
    parts = urlsplit(url)
    return parts.path + (f"?{parts.query}" if parts.query else "")
