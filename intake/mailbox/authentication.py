"""What the trusted host found about a mail's sender: its Authentication-Results (RFC 8601)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from crm.mail_facts import Authentication
from intake.mailbox.header import raw_text
from intake.text import one_line

#: What the workspace file says for a host that leaves its name out, as Microsoft 365 does.
NAMELESS = "-"
_LONGEST = 8000
_MOST = 10
_RESULT = re.compile(r"\s*([a-z0-9-]{1,20})(?:/\d{1,3})?\s*=\s*([a-z]{1,20})", re.IGNORECASE)
_PROPERTY = re.compile(r"\b(header\.(?:d|i|from)|smtp\.mailfrom)\s*=\s*\"?([^\s;\"]{1,255})", re.IGNORECASE)


def read(items: Sequence[tuple[str, str]], trusted: Sequence[str]) -> Authentication | None:
    """What the topmost header of a trusted host says, with those that it put directly beside it.

    `items` are the mail's headers in order. Whatever stands below the next Received came with the mail, and
    anybody can have written it. None where no trusted host has said anything.
    """
    hosts = {host.lower() for host in trusted}
    results: list[str] = []
    host = ""
    for name, value in items:
        if name.lower() == "authentication-results" and len(results) < _MOST:
            said, told = _split(one_line(raw_text(value[:_LONGEST])))
            if said in hosts and said == (host or said):
                host = said
                results += told
        elif results and name.lower() == "received":
            break
    return _understood(host, results) if host else None


def _split(value: str) -> tuple[str, list[str]]:
    """The host, and its results. A host that leaves its name out begins with the first result."""
    pieces = [piece.strip() for piece in _uncommented(value).split(";")]
    if _RESULT.match(pieces[0]):
        return NAMELESS, pieces
    return (pieces[0].split() or [""])[0].lower(), pieces[1:]


def _uncommented(value: str) -> str:
    """Without what stands in parentheses, which may be nested."""
    kept: list[str] = []
    depth = 0
    for sign in value:
        if sign == "(":
            depth += 1
        elif sign == ")":
            depth = max(0, depth - 1)
        elif not depth:
            kept.append(sign)
    return "".join(kept)


def _understood(host: str, results: list[str]) -> Authentication:
    said: dict[str, str] = {}
    signers: list[str] = []
    looked_at = ""
    for piece in results:
        found = _RESULT.match(piece)
        if found is None:
            continue
        method, result = found[1].lower(), found[2].lower()
        properties = {p[1].lower(): p[2].lower() for p in _PROPERTY.finditer(piece)}
        # Of several signatures one that holds is enough.
        if method not in said or (method == "dkim" and result == "pass"):
            said[method] = result
        if method == "dkim" and result == "pass":
            signer = properties.get("header.d") or properties.get("header.i", "").rpartition("@")[2]
            signers.append(signer)
        elif method == "dmarc":
            looked_at = looked_at or properties.get("header.from", "").rpartition("@")[2]
    return Authentication(
        host=host,
        spf=said.get("spf"),
        dkim=said.get("dkim"),
        dmarc=said.get("dmarc"),
        dkim_domains=tuple(dict.fromkeys(s for s in signers if s)),
        dmarc_domain=looked_at,
    )
