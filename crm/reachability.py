"""Whether an address may be written to: it has not sent our mail back, and wants what a machine writes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import clock
from core.errors import Invalid
from core.secrets import derived_key, derived_keys
from core.settings import settings
from crm.contact_points import email_point
from models.contact_point import ContactPoint, PointKind
from models.message import Direction, Message

_PURPOSE = "unsubscribe"
_HOUR = timedelta(hours=1)
_NOBODY = re.compile(
    r"(no|do[-_.]?not|nao|não|nicht|ne)[-_.]?(reply|responda?|antworten|repondre)[-_.a-z0-9]*"
    r"|mailer[-_.]?daemon|postmaster|bounces?|(bounces?|notifications?)[-+=_.].*",
    re.IGNORECASE,
)


class LeftOut(Invalid):
    """A mail that is not to be sent, for a reason that is no failure."""


def point(session: Session, address: str) -> ContactPoint | None:
    """The contact point of a normalised address; None for one that nobody is known by."""
    kind, value = email_point(address)
    return session.scalars(
        select(ContactPoint).where(ContactPoint.kind == kind, ContactPoint.value == value)
    ).one_or_none()


def is_nobody(address: str) -> bool:
    """Whether no person reads what is sent there, as its name says."""
    return _NOBODY.fullmatch(address.partition("@")[0]) is not None


def check_not_bounced(session: Session, address: str) -> None:
    """Raises Invalid where mail to this address has come back for good."""
    found = point(session, address)
    if found is not None and found.bounced_at is not None:
        raise Invalid(f"mail to {address} came back on {found.bounced_at:%Y-%m-%d}: {found.bounce_reason}")


def check_automatic(session: Session, address: str, *, most: int, effect_key: str, asked: bool) -> None:
    """Raises LeftOut where a machine should not write to this address now.

    `asked` says that the mail is one that people cannot unsubscribe from; `most` is how many an address may
    be sent within an hour, so that two machines which answer each other come to an end. The mail with
    `effect_key` itself is not counted.
    """
    if is_nobody(address):
        raise LeftOut(f"left out: nobody reads {address}")
    found = point(session, address)
    if found is not None and found.unsubscribed_at is not None and not asked:
        raise LeftOut(
            f"left out: {address} has unsubscribed from automatic mail on {found.unsubscribed_at:%Y-%m-%d}"
        )
    sent = session.scalar(
        select(func.count()).where(
            Message.to_address == address.lower(),
            Message.created_at > clock.now() - _HOUR,
            Message.direction == Direction.OUT,
            Message.automatic,
            Message.effect_key != effect_key,
        )
    )
    if (sent or 0) >= most:
        raise LeftOut(f"left out: {sent} automatic mails have gone to {address} within an hour")


def unsubscribe_link(session: Session, address: str) -> str:
    """The address with which whoever reads this mail wants no further automatic ones; '' for strangers."""
    found = point(session, address)
    return f"{settings().address}/in/unsubscribe/{_token(found.id)}" if found is not None else ""


def unsubscribing(session: Session, token: str) -> ContactPoint | None:
    """The contact point of such a link, held until the transaction ends; None for one that is not ours."""
    number, _, mark = token.partition("-")
    if not number.isdecimal() or not number.isascii() or len(number) > 18:
        return None
    if not any(hmac.compare_digest(_mark(key, number), mark.lower()) for key in derived_keys(_PURPOSE)):
        return None
    return session.get(ContactPoint, int(number), with_for_update=True)


def marked(session: Session, person_id: int) -> Collection[ContactPoint]:
    """The person's addresses to which something is not sent."""
    return session.scalars(
        select(ContactPoint).where(
            ContactPoint.person_id == person_id,
            ContactPoint.kind == PointKind.EMAIL,
            ContactPoint.bounced_at.is_not(None) | ContactPoint.unsubscribed_at.is_not(None),
        )
    ).all()


def _token(point_id: int) -> str:
    return f"{point_id}-{_mark(derived_key(_PURPOSE), str(point_id))}"


def _mark(key: bytes, number: str) -> str:
    # The whole digest: this link is good for ever, and changes something by a single request.
    return (
        base64.b32encode(hmac.new(key, number.encode(), hashlib.sha256).digest()).decode().lower().rstrip("=")
    )
