"""The corpus of mails: what the mailbox adapter makes of each, beside what a person says of it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.errors import Quarantined, Unreadable
from crm.mail_facts import Bounce, OutOfOffice
from crm.submission import Submission
from intake import files
from intake.delivery import Delivery
from intake.mailbox.adapter import Mailbox
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


def told(raw: bytes, settings: MailboxSettings) -> dict[str, Any]:
    """What the adapter makes of the mail, as plain values."""
    delivery = Delivery(raw, "message/rfc822", datetime(2026, 11, 24, tzinfo=UTC))
    try:
        found = Mailbox().parse(delivery, settings)
    except Unreadable as error:
        return {"verdict": "failed", "reason": str(error)}
    except Quarantined as error:
        kept = error.submission if isinstance(error.submission, Submission) else None
        kind = kept.mail.automatic if kept and kept.mail else None
        return {"verdict": "quarantine", "reason": str(error), "kind": kind and kind.value}
    if isinstance(found, Bounce):
        recipients = [f"{r.address} {r.action} {r.status}".strip() for r in found.recipients]
        return {
            "verdict": "bounce",
            "reason": found.reason,
            "recipients": recipients,
            "original_message_id": found.original_message_id,
        }
    if isinstance(found, OutOfOffice):
        return {
            "verdict": "out_of_office",
            "reason": found.reason,
            "until": found.until and found.until.isoformat(),
            "original_message_id": found.original_message_id,
        }
    return _enquiry(found, settings)


def _enquiry(found: Submission, settings: MailboxSettings) -> dict[str, Any]:
    auth = found.mail.authentication if found.mail else None
    kept = files.sorted_out(found.files, settings, "0")
    return {
        "verdict": "enquiry",
        "name": found.name,
        "emails": list(found.emails),
        "phones": list(found.phones),
        "company": found.company,
        "title": found.title,
        "message": found.message,
        "fields": dict(found.fields),
        "attachments": found.extra.get("attachments", []),
        "files": [f.name for f in kept if f.place],
        "found": {
            "phones": list(found.found.phones),
            "company": found.found.company,
            "role": found.found.role,
        },
        "forwarded_by": found.extra.get("forwarded_by"),
        "note": found.extra.get("forwarding_note"),
        "closed": found.extra.get("closed"),
        "auth": {"spf": auth.spf, "dkim": auth.dkim, "dmarc": auth.dmarc} if auth else None,
    }


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
