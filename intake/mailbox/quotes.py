"""What somebody wrote this time, apart from what they quote and what they always put below."""

from __future__ import annotations

import re
from dataclasses import dataclass

from intake.mailbox import markers

_LONGEST_LINE = 1000
_MOST_LINES = 20_000
#: A signature is no longer; what is below such a greeting otherwise is text.
_MOST_SIGNED = 25
#: So many lines a program's introduction of a quote may be wrapped to.
_WRAPPED = 3


@dataclass(frozen=True, slots=True)
class Split:
    """`text` is what is new, `signature` what stood below it. Both may be empty."""

    text: str
    signature: str


def split(whole: str, *, passed_on: bool = False) -> Split:
    """The mail's text apart. What was forwarded belongs to the text; `passed_on` is what the subject says.

    Where nothing would be left all of it is the text.
    """
    lines = whole.split("\n")[:_MOST_LINES]
    written = _unquoted(lines, passed_on=passed_on)
    text, signature = _unsigned(written)
    # A quote that is somebody's only words, and a signature that is, are what they say.
    found = "\n".join(text).strip() or "\n".join(written).strip()
    if not found:
        return Split(whole.strip(), "")
    return Split(re.sub(r"\n\s*\n\s*\n", "\n\n", found), "\n".join(signature).strip())


def header_block(lines: list[str], at: int) -> int:
    """How many lines the header takes that a program repeated from here on; 0 where there is none.

    It begins with From or a date, and has at least three lines that it should have.
    """
    first = markers.header(lines[at][:_LONGEST_LINE])
    if first is None or first.label not in ("from", "date", "subject"):
        return 0
    seen, end, strange = {first.label}, at + 1, 0
    while end < min(len(lines), at + 14):
        line = lines[end]
        found = markers.header(line[:_LONGEST_LINE])
        if found is not None:
            seen.add(found.label)
            strange = 0
        elif not line.strip():
            if len(seen) >= 3 and _no_more(lines, end):
                break
        else:
            strange += 1  # a long list of recipients goes on
            if strange > 2 or "to" not in seen or "@" not in line:
                break
        end += 1
    return end - at if "from" in seen and len(seen) >= 3 else 0


def _no_more(lines: list[str], at: int) -> bool:
    """Whether the header is over at this empty line: some programs put one between all of its lines."""
    return at + 1 >= len(lines) or markers.header(lines[at + 1][:_LONGEST_LINE]) is None


def _unquoted(lines: list[str], *, passed_on: bool) -> list[str]:
    kept: list[str] = []
    at = 0
    while at < len(lines):
        line = lines[at][:_LONGEST_LINE]
        original = markers.opens_original(line) or header_block(lines, at) > 0
        if markers.opens_forward(line) or (original and passed_on):
            # They write about what they pass on, with all that it quotes.
            return kept + lines[at:]
        if original:
            while kept and (not kept[-1].strip() or markers.divides(kept[-1])):
                kept.pop()
            break
        if (length := _introduction(lines, at)) and _fits(kept, lines, at + length):
            at += length
            if not _quote_follows(lines, at):
                break
            continue
        if line.lstrip().startswith(">"):
            at += 1
            continue
        kept.append(lines[at])
        at += 1
    return kept


def _fits(kept: list[str], lines: list[str], at: int) -> bool:
    """Whether such a line can be an introduction here: below some text, or above a quote."""
    return any(line.strip() for line in kept) or _quote_follows(lines, at)


def _introduction(lines: list[str], at: int) -> int:
    """How many lines the introduction of a quote takes that begins here, 0 where none does."""
    if not lines[at].strip():
        return 0
    joined = ""
    for count in range(1, _WRAPPED + 1):
        if at + count > len(lines) or not (line := lines[at + count - 1].strip()):
            return 0
        joined = f"{joined} {line.lstrip('> ')}".strip()[:_LONGEST_LINE]
        if markers.introduces(joined):
            return count
        if count == 1 and len(line) < 20:
            return 0
    return 0


def _quote_follows(lines: list[str], at: int) -> bool:
    following = next((line for line in lines[at : at + 5] if line.strip()), "")
    return following.lstrip().startswith(">")


def _unsigned(lines: list[str]) -> tuple[list[str], list[str]]:
    end = len(lines)
    while end and (not lines[end - 1].strip() or markers.from_mobile(lines[end - 1][:_LONGEST_LINE])):
        end -= 1
    lines, mobile = lines[:end], [line for line in lines[end:] if line.strip()]
    for at, line in enumerate(lines):
        if line.rstrip() in ("--", "—") and (line.startswith("-- ") or end - at <= _MOST_SIGNED):
            return lines[:at], [*lines[at + 1 :], *mobile]
    # The first greeting or line across that has only a signature below.
    for at in range(max(0, end - _MOST_SIGNED), end):
        line, below = lines[at][:_LONGEST_LINE], lines[at + 1 :]
        if markers.closes(line) and _is_signature(below):
            return lines[:at], [*lines[at:], *mobile]
        if markers.divides(line) and at and below and _is_signature(below):
            return lines[:at], [*below, *mobile]
    return lines, mobile


def _is_signature(lines: list[str]) -> bool:
    """Whether these lines can be a signature: short, and with no word to us."""
    filled = [line.strip() for line in lines if line.strip()]
    if len(filled) > _MOST_SIGNED:
        return False
    for line in filled:
        if line.lower().startswith(("ps:", "ps.", "p.s", "pd:", "p.d.", "追伸")) or line.endswith("?"):
            return False
    # The small print of a firm is long.
    return all(len(line) <= 90 or markers.is_small_print(line) for line in filled[:8])
