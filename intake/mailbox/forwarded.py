"""Who wrote what was forwarded: by the header that a program repeats in the text, or the mail attached."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from core.errors import Unreadable
from crm.mail_facts import MailAddress
from intake.mailbox import addresses, markers
from intake.mailbox.message import Attachment, MailMessage, read
from intake.mailbox.quotes import header_block
from intake.text import one_line

_MOST_LINES = 20_000
#: Forwarded and forwarded again, more than anybody does.
_DEEPEST = 5
_NAMED = re.compile(r"^(.*?)\s*[<\[(]\s*(?:mailto:)?([^\s<>\[\]()]{1,64}@[^\s<>\[\]()]{1,255})", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Forwarded:
    """The mail that was passed on. `note` is what the one who did so wrote above it.

    The sender's address is '' where the program wrote only the name.
    """

    sender: MailAddress
    subject: str
    text: str
    note: str
    attachments: tuple[Attachment, ...] = ()


def original(mail: MailMessage, is_ours: Callable[[str], bool]) -> Forwarded | None:
    """The first mail inside that none of us wrote; None where nothing of a stranger's was passed on."""
    return _inline(mail.text, is_ours) or _attached(mail, is_ours)


def _attached(mail: MailMessage, is_ours: Callable[[str], bool]) -> Forwarded | None:
    note, files = mail.text, list(mail.attachments)
    waiting = list(mail.inner)
    for _ in range(_DEEPEST):
        if not waiting:
            return None
        try:
            inner = read(waiting.pop(0))
        except Unreadable:
            continue
        files += inner.attachments
        waiting = [*inner.inner, *waiting]
        if inner.sender.address and not is_ours(inner.sender.address):
            return Forwarded(inner.sender, inner.subject, inner.text, note, tuple(files))
        if found := _inline(inner.text, is_ours):
            return Forwarded(found.sender, found.subject, found.text, note, tuple(files))
    return None


def _inline(text: str, is_ours: Callable[[str], bool]) -> Forwarded | None:
    lines = text.split("\n")[:_MOST_LINES]
    seen = 0
    for at in range(len(lines)):
        length = header_block(lines, at)
        if not length:
            continue
        seen += 1
        if seen > _DEEPEST:
            return None
        told = _told(lines[at : at + length])
        sender = _person(told.get("from", ""))
        if is_ours(sender.address) or not (sender.name or sender.address):
            continue
        body = lines[at + length :]
        if lines[at].lstrip().startswith(">"):
            body = [re.sub(r"^\s*> ?", "", line) for line in body]
        note = "\n".join(_without_frame(lines[:at])).strip()
        return Forwarded(sender, one_line(told.get("subject", "")), "\n".join(body).strip(), note)
    return None


def _told(lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    last = ""
    for line in lines:
        if (head := markers.header(line)) is not None:
            last = head.label
            found.setdefault(last, head.value)
        elif last and line.strip():
            found[last] = f"{found[last]} {line.strip(' >')}"
    return found


def _person(value: str) -> MailAddress:
    value = one_line(value)[:700]
    if named := _NAMED.match(value):
        return MailAddress(named[1].strip(" \"'*")[:300], named[2])
    address = addresses.first_in(value)
    return MailAddress("" if address else value.strip(" \"'*")[:300], address)


def _without_frame(lines: list[str]) -> list[str]:
    """What was written above, without the line that the program drew."""
    while lines and (
        not lines[-1].strip("> \t")
        or markers.opens_forward(lines[-1])
        or markers.opens_original(lines[-1])
        or markers.divides(lines[-1])
    ):
        lines = lines[:-1]
    return lines
