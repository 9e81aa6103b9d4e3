"""Patterns: checked where they stand written out, and kept cheap to look for. Pure.

The library's expressions take time in proportion to the text, but it compiles them each time they are
asked, and classes such as \\w, which know all the world's letters, are large: so their number is limited.
"""

from __future__ import annotations

import re

import cel

from rules.cel import Node, mistake_at

_MOST = 10
_LONGEST = 500
# What all patterns of a condition may come to; a \w takes about 0.3 ms.
_LARGEST = 100.0
_LETTER = 0.02
_REPEATED = re.compile(r"\{(\d+)(?:,(\d*))?\}")
_CLASS = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]")
_ESCAPED = re.compile(r"\\+[pP]\{[^}]*\}|\\+.")


def check_patterns(tree: Node) -> None:
    """Raises Invalid for a pattern that is none, or that would be dear to look for."""
    patterns = [n.parts[1] for n in tree.walk() if n.kind == "call" and n.method and n.word == "matches"]
    if len(patterns) > _MOST:
        raise mistake_at(patterns[_MOST].start, f"more than {_MOST} patterns")
    size = 0.0
    for node in patterns:
        size += _size(node)
        if size > _LARGEST:
            raise mistake_at(node.start, "the pattern repeats too much; look for less, or use * and +")
        try:
            cel.evaluate(f'"".matches({node.word})')
        except (ValueError, RuntimeError) as error:
            words = str(error).rpartition("error: ")[2].partition(". Check")[0]
            if "not a valid regex" not in str(error):
                words = 'with \\ in it, write r"…"'
            raise mistake_at(node.start, f"this is no pattern: {words[:200]}") from None


def _size(node: Node) -> float:
    """How many classes a pattern comes to when its repetitions are written out."""
    if node.kind != "literal":
        raise mistake_at(node.start, "the pattern of 'matches' is written out, in quotes")
    text = node.word
    if len(text) > _LONGEST:
        raise mistake_at(node.start, f"a pattern is no longer than {_LONGEST} characters")
    groups, last, at = [0.0], 0.0, 0
    while at < len(text):
        if match := _REPEATED.match(text, at):
            groups[-1] += last * (max(int(match[2] or match[1]), 1) - 1)
            last = last * max(int(match[2] or match[1]), 1)
            at = match.end()
        elif text[at] == "(":
            groups.append(0.0)
            at += 1
        elif text[at] == ")" and len(groups) > 1:
            last = groups.pop()
            groups[-1] += last
            at += 1
        else:
            match = _ESCAPED.match(text, at) or _CLASS.match(text, at)
            last = 1.0 if match or text[at] == "." else _LETTER
            groups[-1] += last
            at = match.end() if match else at + 1
    return sum(groups)
