"""The corpus of mails: what the mailbox adapter makes of each, beside what a person says of it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from intake.mail_trial import told
from intake.mailbox.settings import MailboxSettings

FOLDER = Path(__file__).parent.parent / "tests" / "fixtures" / "email"
#: The mailbox that the corpus was sent to; a mail may say otherwise under `settings`.
MAILBOX = {
    "key": "sales",
    "host": "imap.acme.test",
    "username": "sales@acme.test",
    "password": "x",
    "country": "BR",
    "authserv_id": "mx.acme.test",
    "colleagues": ["ana@acme.test", "bruno@acme.test"],
}
#: Where the adapter errs and we know why: the case, and the reason.
KNOWN = {
    "samsung_mail_en": "Samsung's program puts its own line behind the text with no line end before it; "
    "to cut inside of a line would cut what people write about their telephones",
}


@dataclass(frozen=True, slots=True)
class Case:
    """One mail: what is expected of it, and what came out; only what is expected is compared."""

    name: str
    expected: dict[str, Any]
    found: dict[str, Any]

    @property
    def wrong(self) -> list[str]:
        """What differs, in words."""
        return [
            f"{key}: {self.found.get(key)!r} instead of {value!r}"
            for key, value in self.expected.items()
            if self.found.get(key) != value
        ]


def cases() -> list[Case]:
    """All of the corpus, read."""
    return [_case(path) for path in sorted(FOLDER.glob("*.eml"))]


def _case(path: Path) -> Case:
    expected = json.loads(path.with_name(f"{path.stem}.expected.json").read_text())
    settings = MailboxSettings.model_validate(MAILBOX | expected.pop("settings", {}))
    # Who says nothing of a verdict expects an enquiry.
    expected.setdefault("verdict", "enquiry")
    return Case(path.stem, expected, told(path.read_bytes(), settings))


def table(of: list[Case]) -> str:
    """How many of each verdict are right, and every one that is wrong, with what is known of it."""
    lines = [f"{'verdict':24}{'mails':>7}{'right':>7}{'wrong':>7}"]
    total, wrong = Counter[str](), Counter[str]()
    for case in of:
        kind = case.expected["verdict"] + (f" ({case.expected['kind']})" if "kind" in case.expected else "")
        total[kind] += 1
        wrong[kind] += bool(case.wrong)
    lines += [f"{k:24}{total[k]:7}{total[k] - wrong[k]:7}{wrong[k]:7}" for k in sorted(total)]
    count, bad = total.total(), wrong.total()
    lines.append(f"{'all':24}{count:7}{count - bad:7}{bad:7}")
    for case in of:
        if case.wrong:
            lines += [f"\n{case.name}: {KNOWN.get(case.name, 'not explained')}"]
            lines += [f"  {words[:400]}" for words in case.wrong]
    return "\n".join(lines)
