"""What a mail would become, as plain values: for the command that tries a mapping, and for the corpus."""

from __future__ import annotations

from typing import Any

from core import clock
from core.errors import Quarantined, Unreadable
from crm.mail_facts import Automatic, Bounce, InvitationAnswer
from crm.submission import Submission
from intake import files
from intake.delivery import Delivery
from intake.mailbox.adapter import Mailbox
from intake.mailbox.settings import MailboxSettings


def told(raw: bytes, settings: MailboxSettings) -> dict[str, Any]:
    """The verdict (enquiry, quarantine, bounce, out_of_office, failed), the reason, and what is in it."""
    delivery = Delivery(raw, "message/rfc822", clock.now())
    try:
        found = Mailbox().parse(delivery, settings)
    except Unreadable as error:
        return {"verdict": "failed", "reason": str(error)}
    except Quarantined as error:
        kept = error.submission if isinstance(error.submission, Submission) else None
        kind = kept.mail.automatic if kept and kept.mail else None
        return {
            "verdict": "quarantine",
            "reason": str(error),
            "kind": kind.value if kind else None,
            **(_enquiry(kept, settings) if kept else {}),
        }
    if isinstance(found, Submission):
        return {"verdict": "enquiry"} | _enquiry(found, settings)
    if isinstance(found, InvitationAnswer):  # it stays in the quarantine unless we invited who gives it
        answer = {"uid": found.uid, "attendee": found.attendee, "answer": found.answer.lower()}
        return {
            "verdict": "quarantine",
            "reason": found.reason,
            "kind": Automatic.CALENDAR.value,
            **_enquiry(found.submission, settings),
            "invitation": answer,
        }
    common = {"reason": found.reason, "original_message_id": found.original_message_id}
    if isinstance(found, Bounce):
        recipients = [f"{r.address} {r.action} {r.status}".strip() for r in found.recipients]
        return {"verdict": "bounce", **common, "recipients": recipients}
    return {"verdict": "out_of_office", **common, "until": found.until.isoformat() if found.until else None}


def _enquiry(found: Submission, settings: MailboxSettings) -> dict[str, Any]:
    auth = found.mail.authentication if found.mail else None
    kept = files.sorted_out(found.files, settings, "0")
    return {
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
        "notification": found.extra.get("notification"),
        "forwarded_by": found.extra.get("forwarded_by"),
        "note": found.extra.get("forwarding_note"),
        "closed": found.extra.get("closed"),
        "auth": {"spf": auth.spf, "dkim": auth.dkim, "dmarc": auth.dmarc} if auth else None,
    }
