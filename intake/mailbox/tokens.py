"""Access tokens for mailboxes at Google, Microsoft 365 and others (RFC 6749, section 6 and 4.4).

An access token is kept in memory until shortly before its end. Where the provider hands out another refresh
token with it, as Microsoft does each time, that one is kept, sealed, and used from then on.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any

from imapclient.exceptions import IMAPClientAbortError, LoginError

from core import clock, db, http, secrets
from core.errors import Invalid, Permanent, Retry
from core.ids import digest
from core.logs import logger
from intake.mailbox import desk
from intake.mailbox.oauth import OAuth
from models.mailbox import WatchedMailbox

_GOOGLE = ("https://oauth2.googleapis.com/token", None)
_MICROSOFT = "https://login.microsoftonline.com/{}/oauth2/v2.0/token"
_MICROSOFT_APPLICATION = "https://outlook.office365.com/.default"


class Purpose(StrEnum):
    """What a token is for, by the scope that Microsoft wants asked for; Google's one scope is for both."""

    IMAP = "https://outlook.office.com/IMAP.AccessAsUser.All offline_access"
    SMTP = "https://outlook.office.com/SMTP.Send offline_access"


#: 'Refresh tokens in the Microsoft identity platform': 90 days, anew with each that is handed out.
_MICROSOFT_TERM = timedelta(days=90)
_EARLY = timedelta(minutes=5)
#: A grant is renewed so often even where no connection asks for it: else it could end unnoticed.
RENEW = timedelta(days=1)
#: Errors (RFC 6749 section 5.2, OpenID Connect Core 3.1.2.6) after which only a person can help.
_FINAL = {
    "invalid_grant": "the grant was withdrawn or has expired: sign in again and set a new refresh_token",
    "invalid_client": "the client id or secret is wrong or has expired",
    "unauthorized_client": "the application may not do this",
    "invalid_scope": "the application may not ask for this scope",
    "interaction_required": "the account wants its owner to sign in again",
    "consent_required": "the account's owner has to agree again",
    "login_required": "the account wants its owner to sign in again",
}
log = logger(__name__)


class Tokens:
    """The tokens of one mailbox, shared by all its connections."""

    def __init__(self, source_id: int, oauth: OAuth, purpose: Purpose = Purpose.IMAP) -> None:
        self._source_id = source_id
        self._oauth = oauth
        self._purpose = purpose
        self._lock = threading.Lock()
        self._access = ""
        self._until = datetime.min.replace(tzinfo=UTC)
        self._asked_at = self._until

    def get(self, fresh: bool = False) -> str:
        """An access token, a new one where the last was refused.

        Raises LoginError where the endpoint says no for good, IMAPClientAbortError for what may pass.
        """
        with self._lock:
            now = clock.now()
            just_made = now - self._asked_at < timedelta(seconds=10)
            if not self._access or now >= self._until - _EARLY or (fresh and not just_made):
                self._renew(now)
            return self._access

    def keep(self) -> None:
        """Renews the grant once a day, so that its end is noticed."""
        if clock.now() - self._asked_at > RENEW:
            self.get(fresh=True)

    def _renew(self, now: datetime) -> None:
        refresh = self._refresh_token()
        try:
            answer = _ask(self._oauth, refresh, self._purpose)
        except LoginError:
            # Another process may have been handed a new one meanwhile, which ended this one.
            if refresh == (refresh := self._refresh_token()):
                raise
            answer = _ask(self._oauth, refresh, self._purpose)
        token = answer.get("access_token")
        if not isinstance(token, str) or not token or any(ord(c) < 33 or ord(c) > 126 for c in token):
            raise IMAPClientAbortError("the token endpoint answered without an access token")
        self._access, self._asked_at = token, now
        self._until = now + _seconds(answer.get("expires_in"), timedelta(hours=1))
        self._note(now, refresh, answer)

    def _refresh_token(self) -> str | None:
        """The one that was handed out last, as long as the settings name the one it follows from."""
        declared = self._oauth.refresh_token
        if declared is None:
            return None
        with db.reading() as session:
            row = session.get(WatchedMailbox, self._source_id)
            kept = dict(row.token) if row is not None else {}
        if kept.get("follows") == _mark(declared.get_secret_value()) and isinstance(kept.get("token"), str):
            try:
                return secrets.unseal(kept["token"])
            except Invalid:
                log.warning("mailbox.kept_token_lost", source_id=self._source_id)
        return declared.get_secret_value()

    def _note(self, now: datetime, refresh: str | None, answer: Mapping[str, Any]) -> None:
        declared = self._oauth.refresh_token
        another = answer.get("refresh_token")
        with db.unit_of_work() as session:
            row = desk.row_of(session, self._source_id)
            if declared is not None and isinstance(another, str) and another != refresh:
                row.token = {
                    "follows": _mark(declared.get_secret_value()),
                    "token": secrets.seal(another),
                }
            row.token_expires_at = self._end(now, answer)

    def _end(self, now: datetime, answer: Mapping[str, Any]) -> datetime | None:
        """When signing in like this will come to an end; None where nobody says."""
        ends = []
        if self._oauth.expires is not None:
            ends.append(datetime.combine(self._oauth.expires, time(), UTC))
        if self._oauth.refresh_token is not None:
            if answer.get("refresh_token_expires_in"):
                ends.append(now + _seconds(answer["refresh_token_expires_in"], timedelta(days=7)))
            elif self._oauth.provider == "microsoft" and answer.get("refresh_token"):
                ends.append(now + _MICROSOFT_TERM)
        return min(ends, default=None)


@lru_cache(maxsize=100)
def for_sending(source_id: int, oauth: OAuth) -> Tokens:
    """Those with which a mailbox's mail is sent; kept by this process."""
    return Tokens(source_id, oauth, Purpose.SMTP)


def _ask(oauth: OAuth, refresh: str | None, purpose: Purpose) -> dict[str, Any]:
    form = {"client_id": oauth.client_id, "grant_type": "client_credentials"}
    if refresh is not None:
        form |= {"grant_type": "refresh_token", "refresh_token": refresh}
    if oauth.client_secret is not None:
        form["client_secret"] = oauth.client_secret.get_secret_value()
    url, scope = oauth.token_url, oauth.scope
    if oauth.provider == "microsoft":
        url = url or _MICROSOFT.format(oauth.tenant)
        scope = scope or (purpose.value if refresh is not None else _MICROSOFT_APPLICATION)
    elif oauth.provider == "google":
        url = url or _GOOGLE[0]
    if scope:
        form["scope"] = scope
    try:
        status, content = http.submit(url or "", form)
    except Retry as error:
        raise IMAPClientAbortError(f"the token endpoint: {error}") from None
    except Permanent as error:
        raise LoginError(f"the token endpoint: {error}") from None
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise IMAPClientAbortError(f"the token endpoint answered {status} and no JSON")
    if status == 200:
        return answer
    said = str(answer.get("error", ""))[:60]
    if said in _FINAL:
        raise LoginError(f"{_FINAL[said]} ({said})")
    raise IMAPClientAbortError(f"the token endpoint answered {status} {said}".strip())


def _mark(token: str) -> str:
    return digest("refresh token", token)[:32]


def _seconds(said: Any, otherwise: timedelta) -> timedelta:
    try:
        return timedelta(seconds=min(max(int(said), 60), 10 * 365 * 86400))
    except (TypeError, ValueError, OverflowError):
        return otherwise
