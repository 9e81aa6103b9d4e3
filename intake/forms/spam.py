"""Whether a submission looks like spam, and why. Pure: what needs a look elsewhere was found out before."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from crm.submission import Submission
from intake.forms.answers import Answers
from intake.forms.interpret import texts
from intake.forms.settings import FormSettings

#: The field that our own page and widget hide; whatever fills it in is no person.
HONEYPOT = "your_website_again"
# What form builders hide for the same purpose, by the field's last part.
_KNOWN = frozenset(
    {HONEYPOT, "_gotcha", "_honey", "bot-field", "honeypot", "wpforms[hp]", "form_fields[field_hp]"}
)
# Hidden by hand-written pages. A form that shows one to its visitors declares or maps it.
_UNASKED = frozenset({"website", "url", "hp", "homepage", "fax"})
_LINK = re.compile(r"https?://|www\.|\[url", re.IGNORECASE)
#: The delivery's facts that say how the form was filled in.
SECONDS, MARK, RATE = "fill_seconds", "mark", "rate"
#: Facts found out in the database or over the network: why they speak against it; and the riddle solved.
COPIES, CAPTCHA, PROOF = "copies", "captcha", "proof"


def reasons(
    answers: Answers, submission: Submission, settings: FormSettings, facts: Mapping[str, Any]
) -> list[str]:
    """Why it is probably no enquiry, in words; nothing where it is one."""
    protection = settings.protection
    found = []
    if name := _honeypot(answers, submission, settings):
        found.append(f"the hidden field '{name}' was filled in")
    seconds = facts.get(SECONDS)
    if isinstance(seconds, int | float) and seconds < protection.min_seconds:
        found.append(f"filled in within {max(seconds, 0):.1f} seconds")
    if facts.get(MARK) == "forged":
        found.append("the mark of our page is forged or too old")
    elif protection.own_page_only and facts.get(MARK) != "ours":
        found.append("it does not come from our page or widget")
    links = sum(len(_LINK.findall(text)) for text in texts(submission).values())
    if links > protection.most_links:
        found.append(f"{links} links in it")
    if _LINK.search(submission.name):
        found.append("a link for a name")
    found += [str(facts[kind]) for kind in (RATE, COPIES, CAPTCHA) if facts.get(kind)]
    return found


def _honeypot(answers: Answers, submission: Submission, settings: FormSettings) -> str | None:
    asked = {f.name for f in settings.fields} | settings.mapping.keys()
    hidden = _KNOWN | set(settings.protection.honeypots)
    for answer in answers.items:
        filled = [str(v) for v in answer.values if v not in ("", None, False)]
        if not filled or answer.name in asked:
            continue
        if answer.name in hidden or (answer.name in _UNASKED and not _own_site(filled, submission)):
            return answer.name
    return None


def trapped(answers: Answers, settings: FormSettings) -> str | None:
    """The hidden field of a form builder's that was filled in, if any."""
    hidden = (_KNOWN | set(settings.protection.honeypots)) - settings.mapping.keys()
    for answer in answers.items:
        if answer.name in hidden and any(v not in ("", None, False) for v in answer.values):
            return answer.name
    return None


def _own_site(values: list[str], submission: Submission) -> bool:
    """Whether it is the site of the sender's own domain: then people see the field and fill it in."""
    domains = {e.rpartition("@")[2].strip().lower() for e in submission.emails} - {""}
    return all(any(domain in value.lower() for domain in domains) for value in values)
