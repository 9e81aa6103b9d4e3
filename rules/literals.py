"""Checks what stands written out in a condition: words, names of lists, zones, times. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from zoneinfo import available_timezones

import cel

from core.errors import Invalid
from rules import duration
from rules.cel import Node, constant, mistake_at, path_of
from rules.functions import FUNCTIONS, Function
from rules.vocabulary import CHOICES, COUNTED, References, nearest

_MOST_LISTED = 8


def check_choice(field: Node, word: Node, known: References) -> None:
    """Raises Invalid for a word that the field never is."""
    said = constant(word)
    if not isinstance(said, str) or said == "":
        return
    path = path_of(field)
    name = ".".join(path) if path else ""
    choices: Iterable[str] | None = CHOICES.get(name)
    if choices is not None:
        choices = (*choices, *known.words.get(name, ()))
    if name in ("deal.stage", "deal.pipeline"):
        choices = known.words.get(name)
    if name in ("lead.source", "event.source"):
        choices = known.sources
    elif name in ("workspace.timezone",):
        choices = available_timezones()
    elif field.kind == "call" and not field.method and field.word in FUNCTIONS:
        name, choices = field.word, FUNCTIONS[field.word].choices or None
    if choices is not None and said not in choices:
        hint = nearest(said, choices)
        if not hint and len(known_words := sorted(choices)) <= _MOST_LISTED:
            hint = f"; it is {', '.join(known_words)}"
        raise mistake_at(word.start, f"'{name}' is never '{said}'{hint}")


def check_readable(node: Node) -> None:
    """Raises Invalid for a literal that no time or length of time can be read from."""
    said = constant(node.parts[0])
    if node.word not in ("timestamp", "duration") or said is None:
        return
    example = "2026-11-23T00:00:00Z" if node.word == "timestamp" else "90m"
    try:
        cel.evaluate(f'{node.word}("{said}")')
    except (ValueError, RuntimeError, TypeError):
        raise mistake_at(
            node.parts[0].start, f"'{said}' is no {node.word}; write, for example, \"{example}\""
        ) from None


def check_written(node: Node, function: Function, known: References) -> None:
    """Raises Invalid for a list, calendar, zone, event or period that is none."""
    for place, what in function.written.items():
        if place >= len(node.parts):
            continue
        part = node.parts[place]
        said = constant(part)
        if not isinstance(said, str):
            raise mistake_at(part.start, f"'{function.name}' wants the {what} written out, in quotes")
        if what == "field":
            continue  # custom ones have any name
        if what == "period":
            try:
                business = duration.parse(said).business
            except Invalid as error:
                raise mistake_at(part.start, str(error)) from None
            if business:
                raise mistake_at(part.start, "the period is plain time, such as '30 days'")
            continue
        names = {
            "list": known.lists,
            "calendar": known.calendars,
            "zone": available_timezones(),
            "event": COUNTED,
        }[what]
        if names is not None and said not in names:
            words = {"zone": "time zone", "event": "event to count"}.get(what, what)
            raise mistake_at(part.start, f"there is no {words} '{said}'{nearest(said, names)}")
