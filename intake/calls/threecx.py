"""3CX: the report that its CRM template's ReportCall sends when a call has ended.

Fields: the variables of 3CX's CRM templates, named as docs/configuration.md has them. 3CX gives no id of the
call, so its start, agent, number and kind are one. A variable that was not filled may come as its own name
in brackets.
"""

from __future__ import annotations

import re
from typing import ClassVar, Literal

from pydantic import Field, SecretStr

from core.errors import Ignored, Unreadable
from core.ids import digest
from crm.submission import CallUpdate
from intake import signatures
from intake.calls import reading
from intake.calls.adapter import CallAdapter
from intake.calls.line import LineSettings
from intake.delivery import Delivery
from intake.text import clean
from models.call import CallResult

_BLANK = re.compile(r"\[[A-Za-z]+\]")
# The kind of call, and whether it was ours.
_KINDS = {
    "inbound": (CallResult.ANSWERED, "inbound"),
    "missed": (CallResult.MISSED, "inbound"),
    "outbound": (CallResult.ANSWERED, "outbound"),
    "notanswered": (CallResult.MISSED, "outbound"),
}


class ThreeCxLine(LineSettings):
    """A 3CX line."""

    provider: Literal["3cx"]
    secret: SecretStr = Field(min_length=1, description="What the template sends as its bearer token")


class ThreeCx(CallAdapter[ThreeCxLine]):
    """One report is one JSON object or one form."""

    name = "3cx"
    settings = ThreeCxLine
    content_types: ClassVar[tuple[str, ...]] = (reading.JSON, reading.FORM)

    def verify(self, delivery: Delivery, settings: ThreeCxLine) -> None:
        """Raises Refused unless the request carries the line's secret, or is signed with it."""
        signatures.bearer_or_hmac(delivery.headers, delivery.body, settings.secret, delivery.received_at)

    def dedupe_key(self, delivery: Delivery, settings: ThreeCxLine) -> str:
        """The report's content: sent again, it is the same."""
        return digest(delivery.body)

    def parse(self, delivery: Delivery, settings: ThreeCxLine) -> CallUpdate:
        """What the report says. Raises Unreadable without a number and a start, Ignored for other kinds."""
        is_form = delivery.content_type.startswith(reading.FORM)
        raw = reading.form(delivery.body) if is_form else reading.document(delivery.body)
        said = {
            key.lower(): text
            for key, value in raw.items()
            if (text := reading.text(value, 20_000)) and not _BLANK.fullmatch(text)
        }
        kind = said.get("call_type", "").lower().replace(" ", "").replace("_", "")
        if kind not in _KINDS:
            raise Ignored(f"a kind of call that is not known: '{clean(kind)[:40]}'")
        result, direction = _KINDS[kind]
        started = reading.moment(said.get("started_at"))
        theirs, agent = said.get("number", ""), said.get("agent", "")
        if started is None or not (theirs or agent):
            raise Unreadable("a report has at least 'started_at' and 'number'")
        ours = said.get("did") or agent
        inbound = direction == "inbound"
        return CallUpdate(
            call_id=digest(started.isoformat(timespec="seconds"), agent, theirs, kind)[:32],
            event=f"report:{kind}",
            direction=direction,
            from_number=reading.number(theirs if inbound else ours),
            to_number=reading.number(ours if inbound else theirs),
            result=result,
            final=True,
            started_at=started,
            answered_at=reading.moment(said.get("answered_at")),
            ended_at=reading.moment(said.get("ended_at")),
            talk_seconds=reading.seconds(said.get("duration")),
            recording_url=self.recording_url(said.get("recording_url"), settings),
            transcript=said.get("transcription"),
            answered_by=(said.get("agent_email") or agent or None) if result is CallResult.ANSWERED else None,
            caller_name=reading.text(said.get("name")),
            withheld=inbound and reading.is_withheld(theirs),
        )
