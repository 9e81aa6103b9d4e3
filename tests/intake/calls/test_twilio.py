"""Twilio's callbacks: checked by Twilio's own scheme, and understood."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from twilio.request_validator import RequestValidator

from core import clock
from core.errors import Ignored, Refused, Unreadable
from crm.submission import CallUpdate
from intake.calls.twilio import Twilio, TwilioLine
from intake.delivery import Delivery
from tests.servers.twilio import signed

FIXTURES = sorted((Path(__file__).parents[2] / "fixtures" / "calls" / "twilio").glob("*.json"))
URL = "https://in.acme.test/in/calls/twilio/main"
TOKEN = "t0ken"
ADAPTER = Twilio()
LINE = TwilioLine.model_validate({"key": "main", "auth_token": TOKEN, "shared_keys": {"k1": "shared"}})


def delivery(body: bytes, headers: dict[str, str], url: str = URL) -> Delivery:
    lower = {name.lower(): value for name, value in headers.items()}
    return Delivery(
        body=body,
        content_type="application/x-www-form-urlencoded",
        received_at=clock.now(),
        url=url,
        headers=lower,
    )


def said(params: dict[str, str]) -> Delivery:
    headers, body = signed(URL, params, TOKEN)
    return delivery(body, headers)


def parse(**params: str) -> CallUpdate:
    made = said(
        {"CallSid": "CA1", "From": "+12025550143", "To": "+13125550188", "Direction": "inbound", **params}
    )
    ADAPTER.verify(made, LINE)
    return ADAPTER.parse(made, LINE)


@pytest.mark.parametrize("file", FIXTURES, ids=lambda f: f.stem)
def test_each_callback_means_what_it_is_expected_to_mean(file: Path) -> None:
    fixture: dict[str, Any] = json.loads(file.read_text())
    line = TwilioLine.model_validate({"key": "main", **fixture["secret"]})
    made = delivery(fixture["body"].encode(), fixture["headers"], fixture["url"])
    if fixture["expect"] == "refused":
        with pytest.raises(Refused):
            ADAPTER.verify(made, line)
        return
    ADAPTER.verify(made, line)
    found = ADAPTER.parse(made, line)
    for name, value in fixture["expect"].items():
        told = getattr(found, name)
        assert (told.isoformat() if hasattr(told, "isoformat") else told) == value, name


@pytest.mark.parametrize(
    ("params", "event", "result", "final"),
    [
        ({"CallStatus": "ringing"}, "status:ringing", None, False),
        ({"CallStatus": "in-progress"}, "status:in-progress", None, False),
        ({"CallStatus": "completed", "CallDuration": "94"}, "status:completed", "answered", True),
        ({"CallStatus": "no-answer"}, "status:no-answer", "missed", True),
        ({"CallStatus": "busy"}, "status:busy", "busy", True),
        ({"CallStatus": "failed"}, "status:failed", "failed", True),
        ({"CallStatus": "canceled"}, "status:canceled", "abandoned", True),
        ({"CallStatus": "completed", "DialCallStatus": "no-answer"}, "dial:no-answer", "missed", True),
        (
            {"CallStatus": "in-progress", "DialCallStatus": "completed", "DialCallDuration": "61"},
            "dial:completed",
            "answered",
            True,
        ),
        ({"CallStatus": "completed", "DialCallStatus": "canceled"}, "dial:canceled", "abandoned", True),
    ],
)
def test_a_status_says_how_the_call_stands(
    params: dict[str, str], event: str, result: str | None, final: bool
) -> None:
    found = parse(**params)
    assert (found.event, found.result, found.final) == (event, result, final)


@pytest.mark.parametrize(
    "caller", ["Anonymous", "", "anonymous", "Restricted", "+266696687", "+7378742833", "unknown"]
)
def test_a_withheld_caller_has_no_number(caller: str) -> None:
    found = parse(CallStatus="no-answer", From=caller)
    assert (found.withheld, found.from_number) == (True, None)


def test_an_outgoing_call_is_told_apart() -> None:
    assert parse(CallStatus="completed", Direction="outbound-api").direction == "outbound"


def test_a_recording_has_no_numbers_and_only_twilio_s_own_address_is_kept() -> None:
    url = "https://api.twilio.com/2010-04-01/Accounts/AC1/Recordings/RE1"
    found = parse(RecordingSid="RE1", RecordingStatus="completed", RecordingUrl=url, From="", To="")
    assert (found.recording_url, found.from_number, found.final) == (url, None, False)
    for hostile in ("http://169.254.169.254/", "https://evil.test/api.twilio.com", "file:///etc/passwd"):
        assert parse(RecordingSid="RE1", RecordingUrl=hostile).recording_url is None


@pytest.mark.parametrize("url", [URL, URL + "?a=1&b=2", "http://in.acme.test:8000/in/calls/twilio/main"])
def test_what_twilio_s_own_sdk_signs_is_let_in(url: str) -> None:
    params = {"CallSid": "CA1", "CallStatus": "ringing", "Name": "João & Cia"}
    headers, body = signed(url, params, TOKEN)
    assert RequestValidator(TOKEN).validate(url, params, headers["X-Twilio-Signature"])
    ADAPTER.verify(delivery(body, headers, url), LINE)


def test_a_signature_made_with_or_without_the_standard_port_is_let_in() -> None:
    with_port = URL.replace("acme.test", "acme.test:443")
    headers, body = signed(with_port, {"CallSid": "CA1"}, TOKEN)
    ADAPTER.verify(delivery(body, headers, URL), LINE)
    headers, body = signed(URL, {"CallSid": "CA1"}, TOKEN)
    ADAPTER.verify(delivery(body, headers, with_port), LINE)


def shared(secret: str, settings: str) -> Delivery:
    mac = hmac.new(secret.encode(), (URL + "CallSidCA1").encode(), hashlib.sha256).digest()
    headers = {
        "X-Twilio-Signature": base64.b64encode(mac).decode(),
        "X-Twilio-Webhooks-Signature-Settings": settings,
    }
    return delivery(b"CallSid=CA1", headers)


def test_a_shared_key_signs_with_sha256() -> None:
    ADAPTER.verify(shared("shared", "key=k1,algorithm=HMAC_SHA256"), LINE)


@pytest.mark.parametrize(
    "made",
    [
        delivery(b"CallSid=CA1", {}),
        delivery(b"CallSid=CA1", {"X-Twilio-Signature": "not base64 ü"}),
        delivery(b"CallSid=CA2", signed(URL, {"CallSid": "CA1"}, TOKEN)[0]),
        delivery(b"CallSid=CA1", signed(URL, {"CallSid": "CA1"}, "another")[0]),
        delivery(b"CallSid=CA1", signed(URL + "2", {"CallSid": "CA1"}, TOKEN)[0]),
        shared("shared", "key=k2,algorithm=HMAC_SHA256"),
        shared("shared", "key=k1,algorithm=NONE"),
        shared("wrong", "key=k1,algorithm=HMAC_SHA256"),
        shared(TOKEN, "algorithm=HMAC_SHA256"),
    ],
)
def test_anything_else_is_refused(made: Delivery) -> None:
    with pytest.raises(Refused) as caught:
        ADAPTER.verify(made, LINE)
    assert (caught.value.status, caught.value.reason) == (403, "bad_signature")


def test_a_redelivery_has_the_same_key_and_another_event_another() -> None:
    one, same = (
        said({"CallSid": "CA1", "CallStatus": "ringing"}),
        said({"CallStatus": "ringing", "CallSid": "CA1"}),
    )
    other = said({"CallSid": "CA1", "CallStatus": "completed"})
    assert ADAPTER.dedupe_key(one, LINE) == ADAPTER.dedupe_key(same, LINE) != ADAPTER.dedupe_key(other, LINE)
    token = delivery(b"CallSid=CA1", {"I-Twilio-Idempotency-Token": "x" * 500})
    assert len(ADAPTER.dedupe_key(token, LINE)) <= 200


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", Unreadable),
        (b"CallStatus=ringing", Unreadable),
        (b"CallSid=" + b"x" * 500, Unreadable),
        (b"\xff\xfe", Unreadable),
        (b"&".join(b"a%d=1" % n for n in range(5000)), Unreadable),
        (b"CallSid=CA1&CallStatus=dancing", Ignored),
        (b"CallSid=CA1&RecordingSid=RE1&RecordingStatus=in-progress", Ignored),
    ],
    ids=lambda v: str(v)[:30],
)
def test_what_cannot_be_understood_is_said_so(body: bytes, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        ADAPTER.parse(delivery(body, {}), LINE)


def test_absurd_values_are_dropped_and_the_call_is_kept() -> None:
    found = parse(
        CallStatus="completed",
        CallDuration="-5",
        SequenceNumber="9" * 40,
        Timestamp="yesterday",
        From="1" * 400,
    )
    assert (found.talk_seconds, found.sequence, found.occurred_at) == (None, None, None)
    assert len(found.from_number or "") <= 100
