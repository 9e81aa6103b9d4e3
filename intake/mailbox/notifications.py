"""Mails by which a portal or a website's form tells of an enquiry: how they become fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from intake.mailbox import addresses, patterns
from intake.mailbox.message import MailMessage
from intake.text import one_line

#: What a value may become; any other name is a custom field.
OWN = ("name", "first_name", "last_name", "email", "phone", "company", "title", "message")
#: Names of the lead's own that no mail sets.
_OURS = frozenset(
    {
        *("id", "number", "status", "channel", "source", "owner", "owner_id", "score", "tags", "fields"),
        *("attribution", "created_at", "contact_id", "company_id", "consent", "found"),
    }
)
_MOST_LINES = 2000
_LONGEST_VALUE = 20_000


def one_or_more(value: object) -> object:
    """A single text as a list of one."""
    return [value] if isinstance(value, str) else value


def _target(value: str) -> str:
    name = value.removeprefix("fields.")
    if name in _OURS or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,59}", name):
        raise ValueError(f"'{value}' is neither one of {', '.join(OWN)} nor a custom field's name")
    return value


Target = Annotated[str, AfterValidator(_target)]
Pattern = Annotated[str, AfterValidator(patterns.check)]


class Notification(BaseModel):
    """Mails of one kind. Those that fit are enquiries, whoever has sent them.

    A label is what stands before a colon, or alone above the value, or in the table's cell beside it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: str = Field("", max_length=100, description="What people call it")
    sender: Annotated[tuple[str, ...], BeforeValidator(one_or_more)] = Field(
        (), alias="from", max_length=50, description="Addresses or domains it comes from"
    )
    subject: Pattern | None = Field(None, description="Pattern (RE2) that the subject fits")
    labels: Mapping[str, Target] = Field(
        default_factory=dict,
        max_length=100,
        description=f"What stands before a value → what it is: {', '.join(OWN)}, or a custom field's name",
    )
    patterns: Mapping[Target, Pattern] = Field(
        default_factory=dict,
        max_length=50,
        description="What it is → pattern (RE2) whose first group is the value",
    )

    @model_validator(mode="after")
    def _says_something(self) -> Notification:
        if not (self.sender or self.subject):
            raise ValueError("say whose mails are meant: 'from', 'subject' or both")
        if not (self.labels or self.patterns):
            raise ValueError("say what is in them: 'labels', 'patterns' or both")
        for target, pattern in self.patterns.items():
            if patterns.groups(pattern) < 1:
                raise ValueError(f"the pattern of '{target}' has no group around the value")
        return self

    def fits(self, mail: MailMessage) -> bool:
        """Whether the mail is of this kind."""
        address, domain = mail.sender.address.lower(), addresses.domain(mail.sender.address)
        known = any(
            address == s if "@" in s.strip("@") else domain == s or domain.endswith(f".{s}")
            for s in (s.lower().removeprefix("@") for s in self.sender)
        )
        return (known or not self.sender) and (
            self.subject is None or patterns.matches(self.subject, mail.subject)
        )

    def read(self, text: str) -> dict[str, str]:
        """The values by what they are. A pattern that finds something goes before a label."""
        found = labelled(text, self.labels, in_cells=True)
        for target, pattern in self.patterns.items():
            value = patterns.first_group(pattern, text[:100_000])
            if value is not None and value.strip():
                found[target.removeprefix("fields.")] = value.strip()[:_LONGEST_VALUE]
        return found


def labelled(text: str, labels: Mapping[str, str], *, in_cells: bool = False) -> dict[str, str]:
    """The values behind these labels, by what they are; the first of each that is not empty."""
    meanings = {_folded(label): target.removeprefix("fields.") for label, target in labels.items()}
    lines = text.split("\n")[:_MOST_LINES]
    at_line = [_label(line, meanings, in_cells=in_cells) for line in lines]
    found: dict[str, str] = {}
    for number, told in enumerate(at_line):
        if told is None:
            continue
        target, value = told
        if target == "message" or not value:
            value = _below(lines, at_line, number, value, whole=target == "message")
        if value and not found.get(target):
            found[target] = (value if target == "message" else one_line(value))[:_LONGEST_VALUE]
    return found


def _label(line: str, meanings: Mapping[str, str], *, in_cells: bool) -> tuple[str, str] | None:
    """What the line's label means, and the value beside it."""
    line = line.strip()[:_LONGEST_VALUE].lstrip("*•-> ")
    for sign in (":", "：", "】", "\t", "="):
        before, found, value = line.partition(sign)
        if found and len(before) <= 80 and (target := meanings.get(_folded(before))):
            return target, value.strip(" *:：")
    if target := meanings.get(_folded(line[:81])):
        return target, ""
    if in_cells:
        low = line.casefold()
        fitting = [label for label in meanings if low.startswith(f"{label} ")]
        if fitting:
            label = max(fitting, key=len)
            return meanings[label], line[len(label) :].strip()
    return None


def _below(
    lines: list[str], labels: list[tuple[str, str] | None], at: int, value: str, *, whole: bool
) -> str:
    """The value where it goes on below: to the next label, for what is no message its first line."""
    taken = [value] if value else []
    for number in range(at + 1, len(lines)):
        line = lines[number].strip()
        if labels[number] is not None or (len(line) > 1 and not line.strip("-—_=*")):
            break
        if line and not whole:
            return line
        taken.append(line)
        if not line and not whole and number - at > 2:
            break
    return "\n".join(taken).strip()


def _folded(label: str) -> str:
    return " ".join(label.strip(" *:：【】[]()?_").casefold().split())
