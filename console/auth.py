"""Who is at the console: passwords, sign-ins, and the very first of them."""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from urllib.parse import urlsplit

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from flask import g
from flask import session as browser
from itsdangerous import BadData, URLSafeTimedSerializer
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from core.errors import Invalid, NotAllowed, Unavailable
from core.ids import digest
from core.secrets import derived_key
from models.user import Role, User

SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 1_000
#: A sign-in ends this long after it began, however busy it was.
LIFETIME = timedelta(hours=12)
#: The time in which only so many sign-ins may be tried.
THROTTLE = timedelta(minutes=10)
FIRST_ADMIN = "admin@portaria.localhost"
_LINK_LIFETIME = timedelta(hours=24)

_hasher = PasswordHasher()
# Each takes 64 MiB: a crowd at the sign-in page may take neither all memory nor all threads.
_hashing = threading.BoundedSemaphore(4)
_PATIENCE = 2.0


@contextmanager
def _one_of_few() -> Iterator[None]:
    if not _hashing.acquire(timeout=_PATIENCE):
        raise Unavailable("too many people sign in at once")
    try:
        yield
    finally:
        _hashing.release()


def _plain(password: str) -> str:
    # The same letter with its accent is written in two ways, and keyboards differ in which.
    return unicodedata.normalize("NFKC", password)


def set_password(session: Session, user: User, password: str) -> None:
    """Gives the user a password, which ends their older sign-ins.

    Raises Invalid for one that is too short or too long.
    """
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        words = f"needs {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters"
        raise Invalid(f"the password {words}", {"password": words})
    with _one_of_few():
        user.password_hash = _hasher.hash(_plain(password))
    user.session_epoch += 1
    session.flush()


@lru_cache(maxsize=1)
def _nobodys_hash() -> str:
    return _hasher.hash("nobody's password")


def is_password(user: User | None, password: str) -> bool:
    """Whether this is the user's password. Takes as long for a user who is not there, or may not come in."""
    known = user.password_hash if user is not None and user.active else None
    with _one_of_few():
        try:
            _hasher.verify(known or _nobodys_hash(), _plain(password[:LONGEST_PASSWORD]))
        except (VerificationError, InvalidHashError):
            return False
    return known is not None


def begin(user: User) -> None:
    """Signs the browser in; whatever it carried before is gone."""
    browser.clear()
    browser.update(user=user.id, epoch=user.session_epoch, since=int(clock.now().timestamp()))


def end() -> None:
    """Signs the browser out."""
    browser.clear()


def signed_in(session: Session) -> User | None:
    """The user whose browser this is; None once the sign-in is too old or was ended."""
    if (found := claimed()) is None:
        return None
    user = session.get(User, found[0])
    return user if user is not None and user.active and user.session_epoch == found[1] else None


def claimed() -> tuple[int, int] | None:
    """Who this browser says it is, and its number, which the user's must still be; None once it is too old.

    The browser cannot forge it, but the user may be gone.
    """
    since, user_id, epoch = browser.get("since"), browser.get("user"), browser.get("epoch")
    if not isinstance(since, int) or not isinstance(user_id, int) or not isinstance(epoch, int):
        return None
    return None if clock.now() - datetime.fromtimestamp(since, UTC) > LIFETIME else (user_id, epoch)


def current_user() -> User:
    """The user of this request.

    Raises NotAllowed where nobody has signed in.
    """
    user = g.get("user")
    if not isinstance(user, User):
        raise NotAllowed("please sign in first")
    return user


def local_path(wanted: str | None) -> str | None:
    """The address, if it is a path of our own; None for whatever a browser could take for another site."""
    if not wanted or len(wanted) > 500 or not wanted.isprintable() or "\\" in wanted:
        return None
    if not wanted.startswith("/") or wanted.startswith("//"):
        return None
    parts = urlsplit(wanted)
    return None if parts.scheme or parts.netloc else wanted


def _links() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(derived_key("welcome"), salt="welcome")


def _fingerprint(user: User) -> str:
    return digest(str(user.session_epoch), user.password_hash or "")[:32]


def first_sign_in_link(session: Session, base_url: str) -> str | None:
    """The address where the first administrator chooses a password; None once one has.

    The administrator is the workspace's first, or made here. The link works once, for 24 hours.
    """
    admins = session.scalars(select(User).where(User.role == Role.ADMIN, User.active).order_by(User.id)).all()
    if any(a.password_hash for a in admins):
        return None
    admin = admins[0] if admins else _first_admin(session)
    token = _links().dumps([admin.id, _fingerprint(admin)])
    return f"{base_url.rstrip('/')}/welcome/{token}"


def _first_admin(session: Session) -> User:
    user = session.scalars(select(User).where(User.email == FIRST_ADMIN)).one_or_none()
    if user is None:
        user = User(email=FIRST_ADMIN, name="Administrator", role=Role.ADMIN, session_epoch=0)
        session.add(user)
    user.role = Role.ADMIN
    user.active = True
    session.flush()
    return user


def invited(session: Session, token: str) -> User | None:
    """The user of a welcome link; None for one that was used, is too old, or is none of ours."""
    try:
        user_id, fingerprint = _links().loads(token, max_age=int(_LINK_LIFETIME.total_seconds()))
    except (BadData, ValueError, TypeError):
        return None
    user = session.get(User, user_id)
    return user if user is not None and user.active and fingerprint == _fingerprint(user) else None
