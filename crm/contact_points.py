"""Normalises e-mail addresses and telephone numbers, so that one address is written in one way. Pure."""

from __future__ import annotations

import re
from functools import lru_cache

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from models.contact_point import PointKind

Point = tuple[PointKind, str]
#: Local parts that no rule of the library's speaks against, whatever their domain.
_PLAIN = re.compile(r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*")
_LONGEST_PLAIN = 64


def email_address(raw: str) -> str | None:
    """The address with its local part as given (RFC 5321 section 2.4) and its domain in IDNA's ASCII form.

    None for what is no address. Nothing is looked up.
    """
    raw = raw.strip()
    local, _, domain = raw.rpartition("@")
    # Nearly all addresses are of few domains, and the domain is what takes long to check.
    if len(local) <= _LONGEST_PLAIN and len(domain) <= _LONGEST_PLAIN and _PLAIN.fullmatch(local):
        known = _of_domain(domain)
        return f"{local}@{known}" if known else None
    return _checked(raw)


@lru_cache(maxsize=4096)
def _of_domain(domain: str) -> str | None:
    found = _checked(f"a@{domain}")
    return found and found.removeprefix("a@")


def _checked(raw: str) -> str | None:
    try:
        found = validate_email(raw, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return None
    return f"{found.local_part}@{(found.ascii_domain or found.domain).lower()}"


def phone_number(raw: str, country: str) -> str | None:
    """The number in E.164, read as somebody in `country` (ISO 3166 alpha-2) would dial it.

    None for short numbers, extensions and whatever else is no number of the public network.
    """
    if len(raw) > 64:
        return None
    try:
        number = phonenumbers.parse(raw, country)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def email_point(address: str) -> Point:
    """The contact point of a normalised address. Nobody runs two mailboxes that differ in case only."""
    return PointKind.EMAIL, address.lower()


def phone_point(number: str) -> Point:
    """The contact point of an E.164 number."""
    return PointKind.PHONE, number
