"""Twilio's callbacks: checked by Twilio's own scheme, and understood."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from twilio.request_validator import RequestValidator

from core import clock
from core.errors import Ignored, Refused, Unreadable
from crm.submission import CallUpdate
from intake.calls import ADAPTERS, BY_NAME, LINES, LineSettings, any_of, by_name
from intake.calls.twilio import Twilio, TwilioLine
from intake.delivery import Delivery
from tests.servers import telephony
from tests.servers.twilio import signed

FOLDER = Path(__file__).parents[2] / "fixtures" / "calls" / "twilio"
#: Each request that says what is expected of it, with its line's secrets.
REQUESTS = [
    pytest.param(fixture["line"], event, id=f"{file.stem}-{number}")
    for file in sorted(FOLDER.glob("*.json"))
    for fixture in [json.loads(file.read_text())]
    for number, event in enumerate(fixture["events"], 1)
    if "expect" in event
]
URL = "https://in.acme.test/in/calls/twilio/main"
TOKEN = "t0ken"
ADAPTER = Twilio()
LINE = TwilioLine.model_validate(
    {"key": "main", "provider": "twilio", "auth_token": TOKEN, "shared_keys": {"k1": "shared"}}
)


CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # on a busy machine too
TEXT = st.text(st.characters(codec="utf-8"), max_size=8)


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


@pytest.mark.parametrize(("secrets", "event"), REQUESTS)
def test_each_callback_means_what_it_is_expected_to_mean(
    secrets: dict[str, Any], event: dict[str, Any]
) -> None:
    line = TwilioLine.model_validate({"key": "main", "provider": "twilio", **secrets})
    made = delivery(event["body"].encode(), event["headers"], event["url"])
    agreed = telephony.accepted_by_sdk("twilio", event["url"], event["headers"], made.body, secrets)
    assert agreed == (event["expect"] != "refused")
    if event["expect"] == "refused":
        with pytest.raises(Refused):
            ADAPTER.verify(made, line)
        return
    ADAPTER.verify(made, line)
    found = ADAPTER.parse(made, line)
    for name, value in event["expect"].items():
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
        ({"CallStatus": "canceled"}, "status:canceled", "missed", True),
        ({"CallStatus": "completed", "DialCallStatus": "no-answer"}, "dial:no-answer", "missed", True),
        (
            {"CallStatus": "in-progress", "DialCallStatus": "completed", "DialCallDuration": "61"},
            "dial:completed",
            "answered",
            True,
        ),
        ({"CallStatus": "completed", "DialCallStatus": "canceled"}, "dial:canceled", "missed", True),
    ],
)
def test_a_status_says_how_the_call_stands(
    params: dict[str, str], event: str, result: str | None, final: bool
) -> None:
    found = parse(**params)
    assert (found.event, found.result, found.final) == (event, result, final)


@pytest.mark.parametrize(
    "caller",
    [
        *("Anonymous", "", "anonymous", "Restricted", "RESTRICTED", "unknown", "Unavailable", "Blocked"),
        *("+266696687", "266696687", "+86282452253", "+8656696", "+2562533", "+7378742833"),
        *("sip:anonymous@anonymous.invalid", "sip:Anonymous@10.0.0.1"),
    ],
)
def test_a_withheld_caller_has_no_number(caller: str) -> None:
    found = parse(CallStatus="no-answer", From=caller)
    assert (found.withheld, found.from_number) == (True, None)


@pytest.mark.parametrize(
    "params",
    [
        {"CallStatus": "in-progress", "RecordingDuration": "12", "Digits": "#"},
        {"CallStatus": "completed", "RecordingDuration": "12", "Digits": "hangup"},
        {"CallStatus": "completed", "TranscriptionStatus": "completed", "TranscriptionText": "Hello"},
    ],
)
def test_what_the_record_verb_tells_is_a_message_to_us(params: dict[str, str]) -> None:
    found = parse(RecordingSid="RE1", RecordingUrl="https://api.twilio.com/RE1", **params)
    assert (found.result, found.final) == ("voicemail", params["CallStatus"] == "completed")


@pytest.mark.parametrize(
    "params",
    [
        {"CallDuration": "94", "CallbackSource": "call-progress-events"},
        {"CallDuration": "94"},
        {"DialCallStatus": "completed", "DialBridged": "true"},
        {"DialCallStatus": "answered", "DialBridged": "false"},  # a conference
    ],
)
def test_the_end_of_a_recorded_call_is_no_message(params: dict[str, str]) -> None:
    url = "https://api.twilio.com/RE1"
    found = parse(CallStatus="completed", RecordingSid="RE1", RecordingUrl=url, **params)
    assert (found.result, found.recording_url) == ("answered", url)


def test_an_outgoing_call_is_told_apart() -> None:
    assert parse(CallStatus="completed", Direction="outbound-api").direction == "outbound"


def test_a_recording_has_no_numbers_and_only_twilio_s_own_address_is_kept() -> None:
    url = "https://api.twilio.com/2010-04-01/Accounts/AC1/Recordings/RE1"
    found = parse(RecordingSid="RE1", RecordingStatus="completed", RecordingUrl=url, From="", To="")
    assert (found.recording_url, found.from_number, found.final) == (url, None, False)


@pytest.mark.parametrize(
    "hostile",
    [
        "http://169.254.169.254/",
        "http://api.twilio.com/RE1",
        "https://evil.test/api.twilio.com",
        "https://api.twilio.com.evil.test/RE1",
        "https://nottwilio.com/RE1",
        "https://evil.test\\@api.twilio.com/RE1",
        "https://user@api.twilio.com/RE1",
        "https://api.twilio.com:8443/RE1",
        "https://api.twilio.com/RE1\x00",
        "https://api.twilio.com/" + "x" * 3000,
        "file:///etc/passwd",
        "//api.twilio.com/RE1",
        "https://[",
    ],
)
def test_a_recording_elsewhere_is_not_kept(hostile: str) -> None:
    assert parse(RecordingSid="RE1", RecordingUrl=hostile).recording_url is None
    assert parse(CallStatus="completed", RecordingUrl=hostile).recording_url is None


@CALM
@given(
    pairs=st.lists(st.tuples(TEXT, TEXT), max_size=12),
    url=st.sampled_from([URL, URL + "?b=2&a=1", "http://x.test:8000/y", "https://x.test:443/y"]),
)
def test_whatever_the_sdk_signs_is_let_in_and_nothing_else(pairs: list[tuple[str, str]], url: str) -> None:
    body = urlencode(pairs).encode()
    params = _Posted(parse_qsl(body.decode(), keep_blank_values=True))
    signature = RequestValidator(TOKEN).compute_signature(url, params)
    ADAPTER.verify(delivery(body, {"X-Twilio-Signature": signature}, url), LINE)
    with pytest.raises(Refused):
        ADAPTER.verify(delivery(body + b"&a=tampered", {"X-Twilio-Signature": signature}, url), LINE)


class _Posted(dict[str, str]):
    """Several values of a name, as Flask gives them to the SDK."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        super().__init__(pairs)
        self._pairs = pairs

    def getall(self, name: str) -> list[str]:
        return [value for key, value in self._pairs if key == name]


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


@pytest.mark.parametrize(
    "body", [b"&".join(b"a%d=1" % n for n in range(5000)), b"CallSid=\xff"], ids=["5,000 fields", "no UTF-8"]
)
def test_a_body_that_is_no_form_is_refused_before_anything_is_computed(body: bytes) -> None:
    with pytest.raises(Refused) as caught:
        ADAPTER.verify(delivery(body, {"X-Twilio-Signature": "x"}), LINE)
    assert (caught.value.status, caught.value.reason) == (400, "malformed")


def test_a_redelivery_has_the_same_key_and_another_event_another() -> None:
    one, same = (
        said({"CallSid": "CA1", "CallStatus": "ringing"}),
        said({"CallStatus": "ringing", "CallSid": "CA1"}),
    )
    other = said({"CallSid": "CA1", "CallStatus": "completed"})
    assert ADAPTER.dedupe_key(one, LINE) == ADAPTER.dedupe_key(same, LINE) != ADAPTER.dedupe_key(other, LINE)
    assert len(ADAPTER.dedupe_key(one, LINE)) <= 200


def key(token: str = "", **params: str) -> str:
    headers = {"I-Twilio-Idempotency-Token": token} if token else {}
    return ADAPTER.dedupe_key(delivery(urlencode({"CallSid": "CA1", **params}).encode(), headers), LINE)


def test_events_of_one_call_have_keys_of_their_own() -> None:
    events = [
        {"CallStatus": "ringing", "SequenceNumber": "0"},
        {"CallStatus": "completed", "SequenceNumber": "1"},
        {"CallStatus": "completed", "SequenceNumber": "2"},
        {"CallStatus": "completed", "DialCallStatus": "busy"},
        {"CallStatus": "completed", "DialCallStatus": "no-answer"},
        {"RecordingSid": "RE1", "RecordingStatus": "in-progress"},
        {"RecordingSid": "RE1", "RecordingStatus": "completed"},
        {"RecordingSid": "RE2", "RecordingStatus": "completed"},
        {"CallSid": "CA2", "CallStatus": "ringing", "SequenceNumber": "0"},
    ]
    # Also where a token comes again: it is not signed, so it may not take an event away.
    for token in ("", "token-1"):
        assert len({key(token, **event) for event in events}) == len(events)


def test_with_a_token_a_retry_may_say_more() -> None:
    first, retry = {"CallStatus": "completed"}, {"CallStatus": "completed", "ErrorCode": "11200"}
    assert key("token-1", **first) == key("token-1", **retry) != key("token-2", **first)
    assert key(**first) != key(**retry)
    assert len(key("x" * 5000, CallSid="CA" + "x" * 5000)) <= 200


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", Unreadable),
        (b"CallStatus=ringing", Unreadable),
        (b"CallSid=" + b"x" * 500, Unreadable),
        (b"CallSid=CA%00", Unreadable),
        (b'{"CallSid": "CA1", "CallStatus": "ringing"}', Unreadable),
        (b"CallSid=CA1", Ignored),
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


@CALM
@given(
    body=st.binary(max_size=200) | st.text(max_size=80).map(lambda t: f"CallSid=CA1&CallStatus={t}".encode())
)
def test_nothing_else_is_raised_whatever_comes(body: bytes) -> None:
    try:
        found = ADAPTER.parse(delivery(body, {}), LINE)
    except (Unreadable, Ignored):
        return
    assert found.call_id


@pytest.mark.parametrize("duration", ["-5", "9" * 40, "ten", "1.5", "", "٣", "1e3", " 7"])
def test_an_absurd_duration_is_dropped_and_the_call_is_kept(duration: str) -> None:
    found = parse(CallStatus="completed", CallDuration=duration)
    assert (found.result, found.talk_seconds) == ("answered", None)


@pytest.mark.parametrize(
    "timestamp",
    [
        "yesterday",
        "",
        "Mon, 99 Nov 2026 18:29:00 +0000",
        "Fri, 31 Dec 9999 23:59:59 -2359",
        "2026-11-23",
        "\x00",
    ],
)
def test_an_absurd_moment_is_dropped_and_the_call_is_kept(timestamp: str) -> None:
    assert parse(CallStatus="completed", Timestamp=timestamp).ended_at is None


@CALM
@given(timestamp=st.text(st.characters(codec="utf-8"), max_size=40))
def test_no_moment_breaks_anything(timestamp: str) -> None:
    params = {"CallSid": "CA1", "CallStatus": "busy", "Timestamp": timestamp}
    assert ADAPTER.parse(delivery(urlencode(params).encode(), {}), LINE).final


@pytest.mark.parametrize("zone", ["+0000", "-0000", "GMT"])
def test_a_moment_is_in_utc(zone: str) -> None:
    found = parse(CallStatus="completed", Timestamp=f"Mon, 23 Nov 2026 18:29:00 {zone}")
    assert found.ended_at is not None
    assert found.ended_at.isoformat() == "2026-11-23T18:29:00+00:00"


def test_text_that_no_database_takes_is_cleaned() -> None:
    found = parse(CallStatus="completed", From="+12025550143\x00", CallerName="\x00Ana\x1b", To="\x00")
    assert (found.from_number, found.caller_name, found.to_number) == ("+12025550143", "Ana", None)
    assert "\x00" not in parse(RecordingSid="RE\x001", RecordingStatus="completed").event


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


# The line and its provider


def test_twilio_expects_twiml_in_answer() -> None:
    reply = ADAPTER.answer(said({}), LINE)
    content, content_type = reply.content, reply.content_type
    assert (content_type, content.endswith(b"<Response/>")) == ("text/xml", True)


def test_an_adapter_is_found_by_its_name_and_two_of_one_name_are_refused() -> None:
    assert type(BY_NAME["twilio"]) is Twilio
    assert list(BY_NAME) == sorted(BY_NAME, key=lambda name: type(BY_NAME[name]).__name__.lower())
    with pytest.raises(ValueError, match="two telephony adapters are named 'twilio'"):
        by_name([*ADAPTERS, Twilio()])


class OtherLine(LineSettings):
    provider: Literal["other"]
    secret: str


def test_a_line_is_read_as_its_provider_says_with_one_provider_and_with_more() -> None:
    twilio = {"key": "main", "provider": "twilio", "auth_token": TOKEN}
    for kind in (LINES, any_of([TwilioLine, OtherLine])):
        lines: TypeAdapter[LineSettings] = TypeAdapter(kind)
        assert isinstance(lines.validate_python(twilio), TwilioLine)
        for wrong in ({"provider": "nobody"}, {"provider": None}, {"auth_token": ""}, {"secret": "x"}):
            with pytest.raises(ValidationError):
                lines.validate_python(twilio | wrong)
        with pytest.raises(ValidationError):
            lines.validate_python({k: v for k, v in twilio.items() if k != "provider"})
    assert isinstance(lines.validate_python({"key": "o", "provider": "other", "secret": "x"}), OtherLine)


def test_an_empty_secret_is_no_secret() -> None:
    for wrong in ({"auth_token": ""}, {"shared_keys": {"k1": ""}}):
        with pytest.raises(ValidationError):
            TwilioLine.model_validate({"key": "main", "provider": "twilio", "auth_token": TOKEN, **wrong})


def numbers(*written: str, country: str | None = None) -> list[str]:
    return LineSettings.model_validate(
        {"key": "main", "provider": "x", "numbers": written, "country": country}
    ).numbers


def test_our_own_numbers_are_in_e164() -> None:
    assert numbers("+55 11 4000-0000", "+13125550188") == ["+551140000000", "+13125550188"]
    assert numbers("(11) 4000-0000", country="BR") == ["+551140000000"]
    for wrong in ("11 4000-0000", "main line", "+", ""):
        with pytest.raises(ValidationError, match="is no number in E"):
            numbers(wrong)
