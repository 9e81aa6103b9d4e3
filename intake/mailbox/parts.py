"""A mail's parts in order: what is text, what is a file, what is a mail or a report inside the mail."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email import policy
from email.errors import MessageError
from email.message import Message
from email.utils import quote

from core.errors import Unreadable
from intake.mailbox import charset
from intake.mailbox.header import opened, raw_text
from intake.text import one_line

#: Deeper is no mail that anybody wrote.
DEEPEST = 100
_MOST = 2000
_AS_SENT = policy.compat32.clone(linesep="\r\n")
# What the standard parser is known to raise on broken mail (cpython issues on email, among them
# nested parentheses in addresses and lying charsets), beside its own errors.
BROKEN = (MessageError, ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError)


@dataclass(frozen=True, slots=True)
class Part:
    """One leaf of the tree. `alternative` is the same for parts that say the same in several ways, else 0.

    `name` is the last component of the name it gives itself, '' where it gives none: never a path.
    `parameters` are those of its Content-Type, by name in lower case.
    """

    content_type: str
    content: bytes
    name: str
    charset: str | None
    attached: bool
    content_id: str
    alternative: int
    parameters: dict[str, str]

    @property
    def is_text(self) -> bool:
        """Whether it is something to read and not a file."""
        # A multipart without parts was cut off, or has no boundary: what is in it is shown as it is.
        if self.content_type.startswith("multipart/"):
            return True
        return self.content_type in ("text/plain", "text/html") and not (self.name or self.attached)

    def text(self, longest: int) -> str:
        """Its content as text."""
        return charset.text(self.content[:longest], self.charset)


def leaves(message: Message) -> Iterator[Part]:
    """All leaves, the first two thousand. Raises Unreadable where they lie deeper than a hundred levels.

    Without recursion: a hostile mail nests deeper than Python does.
    """
    waiting: list[tuple[Message, int, int]] = [(message, 0, 1)]
    seen = 0
    while waiting and seen < _MOST:
        part, alternative, level = waiting.pop()
        seen += 1
        if level > DEEPEST + 1:
            raise Unreadable(f"its parts are nested more than {DEEPEST} levels deep")
        # A text is not asked for here: it would be decoded, by a charset that may be no name at all.
        inner = part.get_payload() if part.is_multipart() else None
        if part.get_content_maintype() == "multipart" and isinstance(inner, list):
            if part.get_content_subtype() == "alternative":
                alternative = alternative or id(part)
            waiting.extend((p, alternative, level + 1) for p in reversed(inner) if isinstance(p, Message))
        else:
            yield _part(part, alternative)


def _part(part: Message, alternative: int) -> Part:
    probe = Message()  # with its headers as text: `get` on the part replaces every byte beyond ASCII
    content_id = ""
    for name, value in part.raw_items():
        if name.lower() in ("content-type", "content-disposition"):
            probe[name] = one_line(raw_text(str(value)))
        elif name.lower() == "content-id":
            content_id = one_line(raw_text(str(value))).strip("<> ")[:300]
    return Part(
        content_type=one_line(part.get_content_type())[:100],
        content=_payload(part),
        name=_filename(probe),
        charset=_charset(part),
        attached=_attached(probe),
        content_id=content_id,
        alternative=alternative,
        parameters=_parameters(probe),
    )


def _payload(part: Message) -> bytes:
    try:
        if part.is_multipart():  # message/rfc822: a mail inside the mail
            return b"".join(p.as_bytes(policy=_AS_SENT) for p in part.get_payload() if isinstance(p, Message))
        raw = part.get_payload(decode=True)
    except BROKEN:
        return b""
    return raw if isinstance(raw, bytes) else b""


def _charset(part: Message) -> str | None:
    try:
        return part.get_content_charset()
    except BROKEN:
        return None


def _attached(probe: Message) -> bool:
    try:
        return probe.get_content_disposition() == "attachment"
    except BROKEN:
        return False


def _parameters(probe: Message) -> dict[str, str]:
    try:
        found = probe.get_params([], unquote=True)
    except BROKEN:
        return {}
    return {str(k).lower(): one_line(str(v))[:200] for k, v in found[1:20]}


def named(disposition: Mapping[str, str], content_type: Mapping[str, str]) -> str:
    """The name that a part gives itself by the parameters of these headers (RFC 2183, RFC 2231), or ''."""
    probe = Message()
    probe["Content-Disposition"] = _written("attachment", disposition)
    probe["Content-Type"] = _written("application/octet-stream", content_type)
    return _filename(probe)


def _written(value: str, parameters: Mapping[str, str]) -> str:
    quoted = [
        f"{name}={text}" if name.endswith("*") else f'{name}="{quote(text)}"'
        for name, text in parameters.items()
    ]
    return one_line("; ".join([value, *quoted]))


def _filename(probe: Message) -> str:
    try:
        name = probe.get_filename() or ""
    except BROKEN:
        return ""
    return re.split(r"[/\\]", opened(str(name)))[-1].strip(' ."')[:255]
