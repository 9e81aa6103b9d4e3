"""Text whose paragraphs were cut into lines for the way (RFC 3676): put together again."""

from __future__ import annotations


def unflowed(text: str, *, delsp: bool) -> str:
    """Each paragraph on one line; quoted ones keep a mark for each of their levels."""
    lines: list[str] = []
    pieces: list[str] = []
    before = 0
    for raw in text.splitlines():
        level = len(raw) - len(raw.lstrip(">"))
        line = raw[level:].removeprefix(" ")  # stuffed, so that it begins with no mark
        if pieces and (level != before or line == "-- "):
            lines.append(_marked(before, pieces))
            pieces = []
        before = level
        flows = line.endswith(" ") and line != "-- "
        pieces.append(line[:-1] if flows and delsp else line)
        if not flows:
            lines.append(_marked(level, pieces))
            pieces = []
    if pieces:
        lines.append(_marked(before, pieces))
    return "\n".join(lines)


def _marked(level: int, pieces: list[str]) -> str:
    line = "".join(pieces)
    return f"{'>' * level} {line}" if level else line
