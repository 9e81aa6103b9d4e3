"""Calls over the API: which ring, and whoever takes one."""

from __future__ import annotations

from core import clock, db
from models.call import Call
from models.source import Channel, Source
from tests.api.conftest import Ask
from tests.factories import configure


def _ring(**changes: object) -> int:
    with db.unit_of_work() as session:
        source = session.query(Source).filter_by(channel=Channel.CALL).one()
        values = {"direction": "inbound", "from_number": "+5511912345678", "facts": {}} | changes
        now = clock.now()
        made = Call(source_id=source.id, provider="twilio", group_id="CA1", provider_call_id="CA1",
                    heard_at=now, created_at=now, **values)  # fmt: skip
        session.add(made)
        session.flush()
        return made.id


def test_a_call_that_rings_is_found_and_taken(ask: Ask) -> None:
    configure(lines="  - {key: main, provider: twilio, auth_token: t}\n")
    call_id = _ring()
    (found,) = ask("GET", "/calls?ringing=true").json["items"]
    assert (found["id"], found["from"], found["rung_user"]) == (call_id, "+5511912345678", None)
    taken = ask("POST", f"/calls/{call_id}/take", json={"user": "bruno@acme.test"})
    assert (taken.status_code, taken.json["owner"]["email"], taken.json["phone"]) == (
        200, "bruno@acme.test", "+5511912345678",
    )  # fmt: skip
    assert ask("POST", f"/calls/{call_id}/take", json={"user": "ana@acme.test"}).json == taken.json
    assert ask("GET", f"/calls/{call_id}").json["lead_id"] == taken.json["id"]
    assert ask("POST", f"/calls/{call_id}/take", json={"user": "nobody@acme.test"}).status_code == 422
    assert ask("POST", "/calls/99/take", json={"user": "ana@acme.test"}).status_code == 404


def test_a_call_of_ours_cannot_be_taken(ask: Ask) -> None:
    configure(lines="  - {key: main, provider: twilio, auth_token: t}\n")
    call_id = _ring(direction="outbound")
    assert ask("GET", "/calls?ringing=true").json["items"] == []
    assert ask("POST", f"/calls/{call_id}/take", json={"user": "ana@acme.test"}).status_code == 409
