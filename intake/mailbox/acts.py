"""What becomes of a message in its folder once it is journalled, where the workspace says so."""

from __future__ import annotations

from imapclient import DELETED, SEEN
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

from intake.mailbox.fetching import Fetched
from intake.mailbox.wire import Client

_AT_ONCE = 200


def wanted(after: str | None, message: Fetched) -> str | None:
    """What is to become of this one. What is not whole in the journal stays where it is."""
    if after is None or "fetch_error" in message.facts or not message.body:
        return None
    return after if after == "seen" or not message.facts.get("truncated") else None


def do(server: Client, uids: list[int], after: str) -> None:
    """Does it; with messages that are gone nothing is done. Raises IMAPClientError where it is refused."""
    for start in range(0, len(uids), _AT_ONCE):
        some = uids[start : start + _AT_ONCE]
        if after == "seen":
            server.add_flags(some, [SEEN], silent=True)
        elif after == "delete":
            _remove(server, some)
        else:
            _move(server, some, after.removeprefix("move:"))


def _remove(server: Client, uids: list[int]) -> None:
    """Without UIDPLUS they are only marked: to expunge would take others' marked messages along."""
    server.add_flags(uids, [DELETED], silent=True)
    if server.has_capability("UIDPLUS"):
        server.uid_expunge(uids)


def _move(server: Client, uids: list[int], folder: str) -> None:
    try:
        _move_once(server, uids, folder)
    except IMAPClientAbortError:
        raise
    except IMAPClientError:
        if server.folder_exists(folder):
            raise
        server.create_folder(folder)
        _move_once(server, uids, folder)


def _move_once(server: Client, uids: list[int], folder: str) -> None:
    if server.has_capability("MOVE"):
        server.move(uids, folder)
    else:
        server.copy(uids, folder)
        _remove(server, uids)
