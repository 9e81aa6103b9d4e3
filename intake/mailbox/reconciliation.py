"""What the server holds, beside what is in the journal."""

from __future__ import annotations

from dataclasses import dataclass

from intake.mailbox.connection import Connection
from intake.mailbox.position import Position


@dataclass(frozen=True, slots=True)
class Difference:
    """UIDs: all on the server; those of them that count and are not journalled; those journalled and gone."""

    on_server: frozenset[int]
    older: frozenset[int]
    missing: frozenset[int]
    gone: frozenset[int]

    def report(self, *, journalled: int, missed: int, failed: int) -> dict[str, int]:
        """The numbers, as people and programs read them.

        `missed` were new to the journal and are fetched now; `known` came by another way, or were
        journalled by an older release.
        """
        return {
            "on_server": len(self.on_server),
            "journalled": journalled,
            "older": len(self.older),
            "missing": len(self.missing),
            "missed": missed,
            "known": len(self.missing) - missed - failed,
            "failed": failed,
            "gone": len(self.gone),
        }


def compare(server: Connection, place: Position, known: set[int]) -> Difference:
    """Asks for every UID and looks which are not known; what will be read next is no difference."""
    on_server = server.all()
    unknown = {uid for uid in on_server - known if uid <= place.last_uid}
    before_us = {uid for uid in unknown if uid <= place.history_uid}
    older = server.before(before_us, place.begins_at)
    return Difference(
        on_server=frozenset(on_server),
        older=frozenset(older),
        missing=frozenset(unknown - older),
        gone=frozenset(known - on_server),
    )
