"""What a visitor has to mend before a declared form is taken. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from crm.contact_points import email_address, phone_number
from intake.forms import filetypes, patterns
from intake.forms.body import Posted, Upload
from intake.forms.interpret import one_of
from intake.forms.settings import FormField, FormSettings, said
from intake.forms.words import say


def mistakes(posted: Posted, settings: FormSettings, country: str, language: str = "en") -> dict[str, str]:
    """What is wrong, in words of the visitor's language, by field.

    A consent that is not given is no mistake: the lead is taken, and barred from marketing.
    """
    found = {}
    for field in settings.fields:
        if field.type == "consent":
            continue
        if field.type == "file":
            word = _file_mistake(field, [f for f in posted.files if f.field == field.name])
        else:
            word = _mistake(field, posted.values.get(field.name, ()), country)
        if word is not None:
            own = said(field.message, language) if word[0] != "required" else ""
            found[field.name] = own or say(word[0], language, *word[1:])
    return found


Word = tuple[Any, ...]


def _mistake(field: FormField, values: tuple[Any, ...], country: str) -> Word | None:
    text = str(one_of(values)).strip()
    if not text:
        return ("required",) if field.required else None
    if len(text) > field.max_length:
        return "too_long", field.max_length
    if len(text) < field.min_length:
        return "too_short", field.min_length
    if field.type == "multiselect":
        chosen = {str(v) for v in values if v not in ("", None)}
        return None if chosen <= set(field.choices) else ("wrong_choice",)
    check = _CHECKS.get(field.type)
    if check is not None and not check(text, field, country):
        return (_WRONG[field.type],)
    if field.pattern is not None and not patterns.fits(field.pattern, text):
        return ("wrong_pattern",)
    return None


def _file_mistake(field: FormField, files: list[Upload]) -> Word | None:
    if not files:
        return ("required",) if field.required else None
    if any(len(f.content) > field.max_bytes for f in files):
        return "file_too_large", filetypes.size(field.max_bytes)
    kinds = [filetypes.kind_of(f.content, f.name) for f in files]
    return None if all(filetypes.is_taken(k, field.accept) for k in kinds) else ("wrong_file",)


def _phone(text: str, field: FormField, country: str) -> bool:
    # A number we cannot read is kept as it is; only where the number is all we have it must be right.
    if field.required:
        return phone_number(text, country) is not None
    return re.search(r"\d{3}", text) is not None


def _date(text: str, _: FormField, __: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


_CHECKS: Mapping[str, Callable[[str, FormField, str], bool]] = {
    "email": lambda text, _, __: email_address(text) is not None,
    "phone": _phone,
    "number": lambda text, _, __: re.fullmatch(r"[-+]?\d{1,15}([.,]\d{1,10})?", text) is not None,
    "date": _date,
    "select": lambda text, field, _: text in field.choices,
}
_WRONG = {
    "email": "wrong_email",
    "phone": "wrong_phone",
    "number": "wrong_number",
    "date": "wrong_date",
    "select": "wrong_choice",
}
