"""The addresses of a header, as people and machines write them."""

from __future__ import annotations

import re
from email.errors import MessageError
from email.utils import getaddresses

from crm.mail_facts import MailAddress
from intake.mailbox.header import Headers, opened, raw_text
from intake.text import one_line

# What the standard parser is known to raise on broken addresses, such as nested parentheses (CVE-2023-36632).
_BROKEN = (MessageError, ValueError, LookupError, TypeError, AttributeError, RecursionError)
_ADDRESS = re.compile(r"[^\s<>,;:\"()\[\]]{1,64}@[^\s<>,;:\"()\[\]]{1,255}")
_LONGEST_NAME, _LONGEST_ADDRESS = 300, 400
#: More of one header are not read.
_MOST_HEADERS = 10


def of(headers: Headers, name: str, most: int) -> tuple[MailAddress, ...]:
    """The header's addresses in order, at most so many."""
    raw = [one_line(raw_text(value)) for value in headers.get(name, [])[:_MOST_HEADERS]]
    return among(raw, most)


def among(raw: list[str], most: int) -> tuple[MailAddress, ...]:
    """The addresses of one header's values."""
    # The address is found before encoded words are opened: an opened name may hold a comma or an '@'.
    try:
        found = getaddresses(raw)
    except _BROKEN:
        found = []
    named = [(opened(n), opened(a)) for n, a in found[:most] if "@" in a]
    if not named and (inside := first_in(opened(" ".join(raw)))):
        named = [("", inside)]
    return tuple(MailAddress(name[:_LONGEST_NAME], address[:_LONGEST_ADDRESS]) for name, address in named)


def first_in(text: str) -> str:
    """The first that looks like an address, '' where nothing does."""
    # Where there is no '@' nothing has to be looked for, letter by letter.
    if "@" not in text:
        return ""
    found = _ADDRESS.search(text[: 2 * _LONGEST_ADDRESS + text.index("@")])
    return found[0].strip(".'") if found else ""


def local_part(address: str) -> str:
    """What stands before the '@', in lower case."""
    return address.rpartition("@")[0].lower()


def domain(address: str) -> str:
    """What stands behind the '@', in lower case."""
    return address.rpartition("@")[2].lower().rstrip(".")
