"""Recordings are fetched over HTTPS from the provider, and from nowhere else."""

from __future__ import annotations

from base64 import b64encode
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select

from core import clock, db, storage
from core.errors import NotFound
from core.ids import digest
from intake import door
from models.call import Call
from models.inbound import EventState, InboundEvent
from models.recording import Recording, RecordingState
from tests.intake.calls.conftest import House, every
from tests.servers import telephony
from tests.servers.provider import Answer, Asked
from worker import recordings

OURS, CALLER = "+551140000000", "+5511912345678"
SOUND = b"ID3\x03\x00\x00\x00\x00\x00\x0a" + b"\xff\xfb\x90\x00" * 200
SECRET = telephony.LINES["generic"]["secret"]
GENERIC = (
    f"  - {{key: main, provider: generic, secret: {SECRET}, recording_hosts: [rec.test, inside.rec.test]}}"
)


def recorded(house: House, url: str = "https://rec.test/1.mp3") -> Recording:
    """A call whose recording lies there, and what became of fetching it."""
    house.configure(GENERIC)
    data = {"call_id": "c1", "direction": "inbound", "from": CALLER, "to": OURS, "status": "answered"}
    house.tell("generic", {"data": data | {"talk_seconds": 9, "recording_url": url}})
    return fetched()


def fetched() -> Recording:
    for recording_id in recordings.due():
        recordings.fetch(recording_id)
    (row,) = every(Recording)
    return row


def test_a_recording_is_fetched_over_https_also_where_it_was_moved_to(house: House) -> None:
    house.provider.on("GET", "rec.test", "/1.mp3", Answer(302, b"", {"Location": "/moved.mp3?x=1"}))
    house.provider.on("GET", "rec.test", "/moved.mp3", Answer(200, SOUND, {"Content-Type": "audio/mpeg"}))
    row = recorded(house)
    assert (row.state, row.error, storage.get(row.place)) == (RecordingState.KEPT, "", SOUND)
    heard = house.ask("GET", f"/recordings/{row.id}")
    assert (heard.status_code, heard.data) == (200, SOUND)


@pytest.mark.parametrize(
    ("to", "words"),
    [
        ("https://169.254.169.254/latest/meta-data", "not the provider's"),
        ("https://127.0.0.1/1.mp3", "not the provider's"),
        ("http://rec.test/1.mp3", "not the provider's"),
        ("https://rec.test:8443/1.mp3", "not the provider's"),
        ("https://rec.test@127.0.0.1/1.mp3", "not the provider's"),
        ("https://evil.test/1.mp3", "not the provider's"),
        ("https://inside.rec.test/1.mp3", "private network"),
        ("/1.mp3", "again and again"),
        ("//", "again and again"),
    ],
)
def test_a_redirect_leads_nowhere_else(house: House, to: str, words: str) -> None:
    house.provider.on("GET", "rec.test", "/1.mp3", Answer(302, b"", {"Location": to}))
    row = recorded(house)
    assert (row.state, words in row.error) == (RecordingState.FAILED, True), row.error


def test_an_allowed_name_that_leads_into_our_network_is_refused(house: House) -> None:
    row = recorded(house, "https://inside.rec.test/1.mp3")
    assert (row.state, "private network" in row.error) == (RecordingState.FAILED, True)


def test_a_certificate_that_nobody_vouches_for_is_refused(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.provider.on("GET", "rec.test", "/1.mp3", Answer(200, SOUND))
    monkeypatch.delenv("SSL_CERT_FILE")
    row = recorded(house)
    assert (row.state, "CERTIFICATE_VERIFY_FAILED" in row.error) == (RecordingState.WAITING, True)
    assert house.provider.asked == []


def test_twilio_s_recordings_are_asked_for_with_the_account(house: House) -> None:
    account = "AC" + "0" * 32
    house.configure("  - {key: main, provider: twilio, auth_token: 3f0d2c1b4a5968778695a4b3c2d1e0f9}")
    place = f"/2010-04-01/Accounts/{account}/Recordings/RE1"

    def guarded(asked: Asked) -> Answer:
        return (
            Answer(200, SOUND) if asked.headers.get("authorization", "").startswith("Basic ") else Answer(401)
        )

    house.provider.on("GET", "api.twilio.com", f"{place}.mp3", guarded)
    said = {"AccountSid": account, "CallSid": "CA1", "RecordingSid": "RE1", "RecordingStatus": "completed"}
    house.tell("twilio", said | {"RecordingUrl": f"https://api.twilio.com{place}"})
    assert fetched().state is RecordingState.KEPT


def telnyx_saved(house: House, url: str) -> None:
    payload = {
        "call_session_id": "s1",
        "call_leg_id": "l1",
        "recording_id": "rec-7",
        "recording_urls": {"mp3": url},
    }
    at = clock.now().isoformat()
    event: dict[str, Any] = {
        "event_type": "call.recording.saved",
        "id": "e1",
        "occurred_at": at,
        "payload": payload,
    }
    assert house.tell("telnyx", {"data": event}) == 200


def test_telnyx_is_asked_for_a_fresh_address_each_time(house: House) -> None:
    key = telephony.LINES["telnyx"]["public_key"]
    house.configure(f"  - {{key: main, provider: telnyx, public_key: '{key}', api_key: KEY1}}")
    stale = "https://s3.amazonaws.com/bucket/stale.mp3"
    fresh = "https://s3.amazonaws.com/bucket/fresh.mp3?X-Amz-Expires=600"
    house.provider.on("GET", "api.telnyx.com", "/v2/recordings/rec-7", Answer(404, {"errors": []}))
    house.provider.on("GET", "s3.amazonaws.com", "/bucket/fresh.mp3", Answer(200, SOUND))
    telnyx_saved(house, stale)
    assert fetched().state is RecordingState.WAITING
    found = {"data": {"id": "rec-7", "download_urls": {"mp3": fresh}}}
    house.provider.on("GET", "api.telnyx.com", "/v2/recordings/rec-7", Answer(200, found))
    with clock.frozen(every(Recording)[0].due_at):
        assert fetched().state is RecordingState.KEPT
    assert [a.headers.get("authorization") for a in house.provider.asked] == [
        "Bearer KEY1",
        "Bearer KEY1",
        None,
    ]


def test_without_a_key_telnyx_s_address_is_taken_as_it_is(house: House) -> None:
    key = telephony.LINES["telnyx"]["public_key"]
    house.configure(f"  - {{key: main, provider: telnyx, public_key: '{key}'}}")
    house.provider.on("GET", "s3.amazonaws.com", "/bucket/1.mp3", Answer(200, SOUND))
    telnyx_saved(house, "https://s3.amazonaws.com/bucket/1.mp3")
    assert fetched().state is RecordingState.KEPT


def ringcentral_recorded(house: House) -> None:
    party = {"id": "p1", "direction": "Inbound", "from": {"phoneNumber": CALLER}, "to": {"phoneNumber": OURS}}
    party |= {"status": {"code": "Answered"}, "recordings": [{"id": "64", "active": True}]}
    body = {
        "telephonySessionId": "s-1",
        "sequence": 2,
        "eventTime": "2026-11-23T18:29:00.000Z",
        "parties": [party],
    }
    line = telephony.LINES["ringcentral"]
    assert house.tell("ringcentral", {"uuid": "u1", "body": body}, line=line) == 200


def test_ringcentral_s_recordings_are_fetched_with_a_token_for_the_jwt(house: House) -> None:
    token = telephony.LINES["ringcentral"]["verification_token"]
    line = f"{{key: main, provider: ringcentral, verification_token: {token}, client_id: c1, client_secret: s, jwt: j.w.t}}"
    house.configure(f"  - {line}")
    host, place = "media.ringcentral.com", "/restapi/v1.0/account/~/recording/64/content"
    login = ("POST", "platform.ringcentral.com", "/restapi/oauth/token")
    house.provider.on(*login, Answer(200, {"error": "no token"}))
    house.provider.on("GET", host, place, Answer(200, SOUND))
    ringcentral_recorded(house)
    assert (fetched().state, fetched().error) == (RecordingState.WAITING, "the provider gave no access token")
    house.provider.on(*login, Answer(200, {"access_token": "tok", "expires_in": 3600}))
    with clock.frozen(every(Recording)[0].due_at):
        assert fetched().state is RecordingState.KEPT
    asked = house.provider.asked[-2:]
    assert (asked[0].form["assertion"], asked[0].headers["authorization"][:6]) == ("j.w.t", "Basic ")
    assert asked[1].headers["authorization"] == "Bearer tok"


def test_ringcentral_s_recordings_are_not_fetched_without_access(house: House) -> None:
    token = telephony.LINES["ringcentral"]["verification_token"]
    house.configure(f"  - {{key: main, provider: ringcentral, verification_token: {token}}}")
    ringcentral_recorded(house)
    assert (fetched().state, "no access to the provider" in fetched().error) == (RecordingState.FAILED, True)
    assert house.provider.asked == []


BITRIX24 = "  - {key: main, provider: bitrix24, secret: 51610fefc120afd4, recording_hosts: [rec.test]}"


def bodies() -> list[bytes]:
    """What the journal has of each event."""
    with db.reading() as session:
        return list(session.scalars(select(InboundEvent.body).order_by(InboundEvent.received_at)))


def attach(house: House, content: str | None, **more: str) -> int:
    """What a module tells of a call and, in the end, of its recording; the status of the last answer."""
    say = {"PHONE_NUMBER": CALLER, "TYPE": "2", "EXTERNAL_CALL_ID": "b1", "LINE_NUMBER": OURS}
    house.tell("bitrix24", {"method": "telephony.externalcall.register", **say})
    ours = f"externalCall.{digest('b1')}"[:80]
    finish = {"CALL_ID": ours, "DURATION": "9", "STATUS_CODE": "200"}
    house.tell("bitrix24", {"method": "telephony.externalcall.finish", **finish})
    sent = {"CALL_ID": ours, "FILENAME": "b1.mp3", **({"FILE_CONTENT": content} if content else {}), **more}
    return house.tell("bitrix24", {"method": "telephony.externalCall.attachRecord", **sent})


def test_a_recording_inside_of_its_event_is_kept(house: House) -> None:
    house.configure(BITRIX24)
    large = SOUND + b"\xff\xfb\x90\x00" * 500_000  # more than any other event may have
    assert attach(house, b64encode(large).decode()) == 200
    assert every(Recording)[0].state is RecordingState.WAITING
    row = fetched()
    assert (row.state, row.kind, row.size) == (RecordingState.KEPT, "audio/mpeg", len(large))
    assert storage.get(row.place) == large
    with pytest.raises(NotFound):
        storage.get(row.said.removeprefix("sent:"))
    # How long it is kept, the line says: the journal has it no longer, and knows the event all the same.
    assert len(bodies()[-1]) < 500
    again = attach(house, b64encode(large).decode())
    assert (again, len(every(Recording)), len(every(Call))) == (200, 1, 1)


@pytest.mark.parametrize(
    ("content", "status"), [("!!!", 400), ("=", 400), ("\0", 400), (None, 400), ("QUJD" * 9_000_000, 413)]
)
def test_what_is_no_file_is_refused(house: House, content: str | None, status: int) -> None:
    house.configure(BITRIX24)
    assert attach(house, content) == status
    assert (every(Recording), len(every(InboundEvent))) == ([], 2)


def test_who_does_not_know_the_secret_may_not_send_a_file(house: House) -> None:
    house.configure(BITRIX24)
    line = {"secret": "another-secret"}
    sent = {"method": "telephony.externalcall.attachrecord", "CALL_ID": "x", "FILE_CONTENT": "A" * 3_000_000}
    assert house.tell("bitrix24", sent, line=line) == 413
    assert house.tell("bitrix24", sent | {"FILE_CONTENT": "QUJD"}, line=line) == 403
    assert every(InboundEvent) == []


def test_a_secret_in_an_address_gets_into_no_log(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(door, "log", SimpleNamespace(info=lambda kind, **said: told.append(said)))
    house.configure(BITRIX24)
    assert house.tell("bitrix24", {"method": "crm.lead.add"}) == 404
    assert attach(house, "!!!") == 400
    assert [said["reason"] for said in told] == ["unknown_method", "malformed"]
    assert "51610fefc120afd4" not in str(told)


def test_a_file_that_is_no_sound_or_is_not_to_be_kept_is_not(house: House) -> None:
    house.configure(BITRIX24)
    attach(house, b64encode(b"<!doctype html><p>x").decode())
    row = fetched()
    assert (row.state, "no sound but" in row.error) == (RecordingState.FAILED, True)
    house.configure(BITRIX24.replace("recording_hosts", "recordings: false, recording_hosts"))
    attach(house, b64encode(SOUND).decode())
    assert [r.state for r in every(Recording)] == [RecordingState.FAILED]
    assert b"FILE_CONTENT" not in bodies()[-1]
    house.configure(BITRIX24)
    attach(house, None, RECORD_URL="https://evil.test/1.mp3")
    assert every(InboundEvent)[-1].state is EventState.IGNORED
    assert "recording_hosts" in every(InboundEvent)[-1].error
