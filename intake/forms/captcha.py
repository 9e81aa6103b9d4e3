"""Proofs that a person filled in a form. ALTCHA is checked here; the others are asked over the network.

Addresses and fields: the services' own documentation, 'Server-side validation' (Turnstile), 'Verify the user
response server side' (hCaptcha) and 'Verifying the user's response' (reCAPTCHA); ALTCHA v1: altcha.org/docs.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from altcha import v1

from intake.errand import Lookup
from intake.forms.protection import Captcha

#: The field in which each hands over its answer.
FIELDS = {
    "altcha": "altcha",
    "turnstile": "cf-turnstile-response",
    "hcaptcha": "h-captcha-response",
    "recaptcha": "g-recaptcha-response",
}
_ADDRESSES = {
    "turnstile": "https://challenges.cloudflare.com/turnstile/v0/siteverify",
    "hcaptcha": "https://api.hcaptcha.com/siteverify",
    "recaptcha": "https://www.google.com/recaptcha/api/siteverify",
}
#: What the page loads of each, and its name there.
SCRIPTS = {
    "turnstile": ("turnstile", "https://challenges.cloudflare.com/turnstile/v0/api.js"),
    "hcaptcha": ("hcaptcha", "https://js.hcaptcha.com/1/api.js"),
    "recaptcha": ("grecaptcha", "https://www.google.com/recaptcha/api.js"),
}
#: How long a visitor may take from the riddle to the answer.
_EXPIRES = timedelta(hours=2)


def challenge(settings: Captcha, key: str, now: datetime) -> dict[str, Any]:
    """A new riddle, for which a machine has to work a moment."""
    secret = settings.secret.get_secret_value() if settings.secret else key
    options = v1.ChallengeOptions(max_number=settings.difficulty, hmac_key=secret, expires=now + _EXPIRES)
    made = v1.create_challenge(options)
    # In the words of ALTCHA's own widget.
    return {
        "algorithm": made.algorithm,
        "challenge": made.challenge,
        "maxnumber": made.max_number,
        "salt": made.salt,
        "signature": made.signature,
    }


def solved(settings: Captcha, key: str, payload: str) -> str | None:
    """Which riddle this solves; None where it solves none of ours, or too late."""
    secret = settings.secret.get_secret_value() if settings.secret else key
    try:
        fits, _ = v1.verify_solution(payload[:5000], secret)
        riddle = json.loads(base64.b64decode(payload))["challenge"] if fits else None
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return str(riddle) if riddle else None


def lookup(settings: Captcha, token: str, address: str) -> Lookup | None:
    """The question to the service whether this answer is one of a person."""
    if settings.secret is None or settings.kind not in _ADDRESSES:
        return None
    form = {"secret": settings.secret.get_secret_value(), "response": token[:5000], "remoteip": address}
    return Lookup(_ADDRESSES[settings.kind], form=form)


def against(settings: Captcha, answer: Mapping[str, Any]) -> str | None:
    """Why the service's answer speaks against a person; None where it does not."""
    if answer.get("success") is not True:
        codes = answer.get("error-codes")
        words = ", ".join(str(c)[:50] for c in codes[:5]) if isinstance(codes, list) else ""
        return f"{settings.kind} says no{': ' + words if words else ''}"
    score = answer.get("score")
    if isinstance(score, int | float) and score < settings.min_score:
        return f"{settings.kind} gives it {score} of 1"
    return None
