"""Bitrix24: what a telephone system's module tells it, told to us instead, and Bitrix24's own call events.

A module calls `telephony.externalcall.register`, `.show`, `.hide`, `.finish` and
`telephony.call.attachTranscription` or `.externalcall.attachrecord` (with the file in it, or its address)
under an incoming webhook's address, whose last part is the line's secret; its events post
`ONVOXIMPLANTCALL…`. Fields: apidocs.bitrix24.com, 'Telephony'. Nothing is signed: the address, or the
event's `auth[application_token]`, carries the secret.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from hmac import compare_digest
from types import MappingProxyType
from typing import Any, ClassVar, Literal
from urllib.parse import urlencode, urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, field_validator

from core.errors import Ignored, Refused, Unreadable
from core.ids import digest
from crm.submission import CallUpdate
from intake import signatures
from intake.calls import reading
from intake.calls.adapter import CallAdapter, Reply
from intake.calls.line import SENT, LineSettings, TimeZone
from intake.delivery import Delivery
from intake.errand import STORED, Errand
from intake.text import clean
from models.call import CallResult

_METHOD = re.compile(r"/(?P<secret>[^/]+)/(?P<method>[A-Za-z.]+?)(\.json)?/?$")
_REGISTER, _FINISH = "telephony.externalcall.register", "telephony.externalcall.finish"
_SHOWN = ("telephony.externalcall.show", "telephony.externalcall.hide")
_RECORDS = ("telephony.externalcall.attachrecord",)
_TRANSCRIPTS = ("telephony.call.attachtranscription",)
_METHODS = (_REGISTER, _FINISH, *_SHOWN, *_RECORDS, *_TRANSCRIPTS)
_EVENTS = ("ONVOXIMPLANTCALLINIT", "ONVOXIMPLANTCALLSTART", "ONVOXIMPLANTCALLEND", "ONEXTERNALCALLSTART")
_OUTBOUND = ("1", "4")
# How a call ended, by the codes of SIP and Bitrix24's own.
_CODES = {
    "200": CallResult.ANSWERED,
    "304": CallResult.MISSED,
    "480": CallResult.MISSED,
    "486": CallResult.BUSY,
    "603": CallResult.MISSED,
    "603-S": CallResult.MISSED,
}


class Bitrix24Line(LineSettings):
    """A line whose telephone system has a module for Bitrix24."""

    provider: Literal["bitrix24"]
    secret: SecretStr = Field(min_length=8, description="In the address; for events, the application token")
    timezone: TimeZone = Field("UTC", description="Of times that name none")

    @field_validator("secret")
    @classmethod
    def _fits_an_address(cls, value: SecretStr) -> SecretStr:
        if re.fullmatch("[A-Za-z0-9_-]+", value.get_secret_value()) is None:
            raise ValueError("a secret in an address is letters, digits, '-' and '_'")
        return value


class Bitrix24(CallAdapter[Bitrix24Line]):
    """One call of a method, or one event, as a form or as JSON."""

    name = "bitrix24"
    settings = Bitrix24Line
    content_types: ClassVar[tuple[str, ...]] = (reading.FORM, reading.JSON)
    methods = ("POST", "GET")
    has_methods = True

    def verify(self, delivery: Delivery, settings: Bitrix24Line) -> None:
        """Raises Refused unless the address, or the event, carries the line's secret."""
        signatures.same(_secret(delivery, _said(delivery)), settings.secret.get_secret_value())
        method = _method(delivery)
        if method and method not in _METHODS:
            raise Refused(
                f"'{clean(method)[:60]}' is no method of telephony", status=404, reason="unknown_method"
            )
        if method and method != _REGISTER and not _said(delivery).get("CALL_ID"):
            raise Refused("CALL_ID is missing", status=400, reason="malformed")
        if method in _RECORDS:
            _checked_record(_said(delivery))
        if method == _REGISTER and not _said(delivery).get("PHONE_NUMBER"):
            raise Refused("PHONE_NUMBER is missing", status=400, reason="malformed")

    def carries_file(self, path: str, settings: Bitrix24Line) -> bool:
        """A recording inside of `attachRecord`."""
        found = _METHOD.search(path)
        if found is None or found["method"].lower() not in _RECORDS:
            return False
        return compare_digest(found["secret"].encode(), settings.secret.get_secret_value().encode())

    def kept(self, delivery: Delivery) -> Delivery:
        """Without the secret."""
        return delivery.without(_secret(delivery, _said(delivery)))

    def dedupe_key(self, delivery: Delivery, settings: Bitrix24Line) -> str:
        """The method and all that is said."""
        return digest(_method(delivery), repr(sorted(_said(delivery).items())))

    def errand(self, delivery: Delivery, settings: Bitrix24Line) -> Errand | None:
        """A recording that came with its event is laid into the storage first, and lies nowhere else then."""
        if _method(delivery) not in _RECORDS:
            return None
        said = _said(delivery)
        if (content := _file(said)) is None:
            return None
        files = {_key(said, content): content} if settings.recordings else {}
        return Errand(files=files, leaves=_without_file(delivery))

    def parse(self, delivery: Delivery, settings: Bitrix24Line) -> CallUpdate:
        """What is said. Raises Unreadable without an id, Ignored for what tells nothing of the call."""
        said, method = _said(delivery), _method(delivery)
        zone = ZoneInfo(settings.timezone)
        if not method:
            return self._event(said, zone)
        if method in _SHOWN:
            raise Ignored("a card is shown by itself where a call rings")
        call_id = _call_id(said) if method == _REGISTER else reading.call_id(said.get("CALL_ID"))
        if method == _REGISTER:
            outbound = said.get("TYPE", "2") in _OUTBOUND
            theirs, ours = said.get("PHONE_NUMBER"), said.get("LINE_NUMBER") or said.get("USER_PHONE_INNER")
            return CallUpdate(
                call_id=call_id,
                event="register",
                direction="outbound" if outbound else "inbound",
                from_number=reading.number(ours if outbound else theirs),
                to_number=reading.number(theirs if outbound else ours),
                started_at=reading.moment(said.get("CALL_START_DATE"), zone),
                withheld=not outbound and reading.is_withheld(theirs),
            )
        if method == _FINISH:
            talked = reading.seconds(said.get("DURATION"))
            code = said.get("STATUS_CODE") or ("200" if talked else "304")
            result = _CODES.get(code, CallResult.FAILED)
            return CallUpdate(
                call_id=call_id,
                event="finish",
                result=result,
                final=True,
                talk_seconds=talked,
                recording_url=self.recording_url(said.get("RECORD_URL"), settings),
                answered_by=_who(said) if result is CallResult.ANSWERED else None,
            )
        if method in _TRANSCRIPTS:
            lines = (reading.text(value, 2000) for name, value in sorted(said.items()) if "[MESSAGE]" in name)
            return CallUpdate(
                call_id=call_id,
                event="transcript",
                transcript="\n".join(line for line in lines if line) or None,
            )
        if isinstance(stored := delivery.facts.get(STORED), list) and stored:
            return CallUpdate(call_id=call_id, event="record", recording_id=f"{SENT}{stored[0]}")
        if not said.get("RECORD_URL"):
            raise Ignored("the line keeps no recordings")
        if (url := self.recording_url(said.get("RECORD_URL"), settings)) is None:
            raise Ignored("the recording lies on none of the line's `recording_hosts`")
        return CallUpdate(call_id=call_id, event="record", recording_url=url)

    def _event(self, said: Mapping[str, str], zone: Any) -> CallUpdate:
        kind = said.get("event", "").upper()
        if kind not in _EVENTS:
            raise Ignored(f"an event that is not known: '{clean(kind)[:40]}'")
        data = {name[5:-1]: value for name, value in said.items() if name.startswith("data[")}
        over = kind == "ONVOXIMPLANTCALLEND"
        outbound = data.get("CALL_TYPE") in _OUTBOUND
        theirs, ours = data.get("PHONE_NUMBER"), data.get("PORTAL_NUMBER")
        result = _CODES.get(data.get("CALL_FAILED_CODE", ""), CallResult.FAILED) if over else None
        return CallUpdate(
            call_id=reading.call_id(data.get("CALL_ID")),
            event=kind,
            direction=("outbound" if outbound else "inbound") if "CALL_TYPE" in data else None,
            from_number=reading.international(ours if outbound else theirs),
            to_number=reading.international(theirs if outbound else ours),
            result=result,
            final=over,
            started_at=reading.moment(data.get("CALL_START_DATE"), zone),
            talk_seconds=reading.seconds(data.get("CALL_DURATION")) if over else None,
            answered_by=reading.text(data.get("PORTAL_USER_ID")) if result is CallResult.ANSWERED else None,
            withheld=not outbound and "PHONE_NUMBER" in data and reading.is_withheld(theirs),
        )

    def answer(self, delivery: Delivery, settings: Bitrix24Line) -> Reply:
        """As Bitrix24's REST would; the lead itself is made a moment later."""
        method, said = _method(delivery), _said(delivery)
        result: Any = True
        if method == _REGISTER:
            result = {"CALL_ID": _call_id(said), "CRM_CREATED_LEAD": None, "CRM_CREATED_ENTITIES": []}
        elif method == _FINISH:
            result = {"CALL_ID": said.get("CALL_ID"), "CALL_DURATION": reading.seconds(said.get("DURATION"))}
        elif not method:
            return Reply()
        return Reply(json.dumps({"result": result}).encode(), reading.JSON)


def _said(delivery: Delivery) -> Mapping[str, str]:
    posted = delivery.body if delivery.method == "POST" else b""
    is_json = delivery.content_type.startswith(reading.JSON) and delivery.method == "POST"
    return _read(urlsplit(delivery.url).query, posted, is_json)


@lru_cache(maxsize=2)  # it is asked for many times over, and may hold a recording
def _read(query: str, posted: bytes, is_json: bool) -> Mapping[str, str]:
    try:
        if is_json:
            return MappingProxyType(_flat(reading.document(posted)))
        return MappingProxyType(reading.form(query.encode()) | reading.form(posted))
    except Unreadable as error:
        raise reading.malformed(error) from None


def _checked_record(said: Mapping[str, str]) -> None:
    """Raises Refused for a recording that is neither sent along nor told where it lies."""
    if not said.get("FILE_CONTENT") and not said.get("RECORD_URL"):
        words = "FILE_CONTENT or RECORD_URL is missing: a file that is uploaded later is not taken"
        raise Refused(words, status=400, reason="malformed")
    try:
        _file(said)
    except Unreadable as error:
        raise reading.malformed(error) from None


def _file(said: Mapping[str, str]) -> bytes | None:
    """The recording's content where it was sent along. Raises Unreadable for what is no base64."""
    told = said.get("FILE_CONTENT")
    if not told:
        return None
    try:
        # A plus that was not encoded comes as a space, and some write lines.
        content = b64decode("".join(told.replace(" ", "+").split()), validate=True)
    except ValueError:
        raise Unreadable("FILE_CONTENT is no base64") from None
    if not content:
        raise Unreadable("FILE_CONTENT is empty")
    return content


def _without_file(delivery: Delivery) -> bytes:
    """The body without the recording: how long that is kept, is told by the line and not by the journal."""
    if delivery.content_type.startswith(reading.JSON):
        left = {n: v for n, v in reading.document(delivery.body).items() if n != "FILE_CONTENT"}
        return json.dumps(left).encode()
    return urlencode([(n, v) for n, v in reading.pairs(delivery.body) if n != "FILE_CONTENT"]).encode()


def _key(said: Mapping[str, str], content: bytes) -> str:
    """Where it lies until it has its place: of one call, and of no other one with the same sound."""
    return f"recordings/sent/{sha256(said.get('CALL_ID', '').encode() + content).hexdigest()}"


def _flat(values: dict[str, Any], within: str = "") -> dict[str, str]:
    """JSON under the names that the same would have in a form."""
    found: dict[str, str] = {}
    for name, value in values.items():
        place = f"{within}[{name}]" if within else str(name)
        if isinstance(value, list):
            value = dict(enumerate(value))
        if isinstance(value, dict) and place.count("[") < 5:
            found |= _flat(value, place)
        elif isinstance(value, str | int | float):
            found[place] = str(value)
    return found


def _method(delivery: Delivery) -> str:
    found = _METHOD.search(urlsplit(delivery.url).path)
    return found["method"].lower() if found and "." in found["method"] else ""


def _secret(delivery: Delivery, said: Mapping[str, str]) -> str:
    found = _METHOD.search(urlsplit(delivery.url).path)
    if found and _method(delivery):
        return found["secret"]
    return said.get("auth[application_token]", "")


def _call_id(said: Mapping[str, str]) -> str:
    """The module's own id where it has one; the same for the same registration sent again."""
    own = said.get("EXTERNAL_CALL_ID")
    names = ("PHONE_NUMBER", "CALL_START_DATE", "LINE_NUMBER", "TYPE", "USER_ID", "USER_PHONE_INNER")
    return f"externalCall.{digest(own) if own else digest(*(said.get(name, '') for name in names))}"[:80]


def _who(said: Mapping[str, str]) -> str | None:
    return reading.text(said.get("USER_PHONE_INNER") or said.get("USER_ID"))
