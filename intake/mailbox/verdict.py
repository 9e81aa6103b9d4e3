"""Whether a person wrote a mail to us, or what machine did (RFC 3834 section 5, RFC 2369, RFC 3464)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from crm.mail_facts import Automatic
from intake.mailbox import addresses, bounces, out_of_office
from intake.mailbox.bounces import Report
from intake.mailbox.message import MailMessage

#: What every Message-ID of ours holds.
OUR_MARK = ".portaria@"
_NOBODY = re.compile(
    r"(?:.*[._+-])?(?:no|do[._-]?not|dont)[._-]?(?:reply|response|respond)(?:[._+-].*|\d+)?|"
    r"n[aã]o[._-]?respond[ae]r?|no[._-]?(?:responder|contestar|responda)|ne[._-]?pas[._-]?r[eé]pondre|"
    r"nepasrepondre|keine?[._-]?antwort|nicht[._-]?antworten|mailer-daemon|postmaster|(?:e?news)?letters?|"
    r"newsletter|notifications?|notify|notificacoes|notificaciones|benachrichtigung(?:en)?|alerts?|automailer|"
    r"bounces?|mailer|daemon|root|cron|donotreply",
)
_MACHINE_HEADERS = ("x-autoreply", "x-autorespond", "x-auto-response", "x-mail-autoreply", "x-autoresponder")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What machine it was, how it shows, and what its report says where it is a bounce.

    `by_sender` is whether nothing but the sender's address speaks against it.
    """

    automatic: Automatic
    reason: str
    report: Report | None = None
    by_sender: bool = False


def is_nobody(address: str) -> bool:
    """Whether nobody reads what is sent to this address."""
    return _NOBODY.fullmatch(addresses.local_part(address)) is not None


def certain(mail: MailMessage, is_ours: Callable[[str], bool]) -> Verdict | None:
    """What no mapping can make an enquiry: our own mail, bounces, receipts, complaints, absences."""
    if OUR_MARK in mail.message_id:
        return Verdict(Automatic.OWN, "it is our own mail coming back")
    kinds = {kind for kind, _ in mail.reports}
    if "message/feedback-report" in kinds:
        return Verdict(Automatic.COMPLAINT, "it tells that a mail was taken for spam")
    if "message/disposition-notification" in kinds or "disposition-notification" in mail.header(
        "content-type"
    ):
        return Verdict(Automatic.RECEIPT, "it is a receipt: a mail was shown or deleted")
    answers = _answers(mail)
    # Who is away answers with no return path as well, but without a report.
    if answers and not kinds and out_of_office.by_text(mail.subject, mail.text):
        return Verdict(Automatic.OUT_OF_OFFICE, "it is an automatic answer: somebody is away")
    if (report := bounces.read(mail)) is not None:
        return _bounced(report)
    if answers:
        return Verdict(Automatic.REPLY, f"it is an automatic answer: {answers}")
    if mail.invitation is not None and mail.invitation.is_answer:
        said = {"REPLY": "an answer to an invitation", "CANCEL": "a meeting called off"}
        return Verdict(
            Automatic.CALENDAR, f"it is {said.get(mail.invitation.method, 'a change of a meeting')}"
        )
    if mail.content_type == "multipart/report":
        return Verdict(Automatic.BOUNCE, "it is a report about a mail's delivery", Report(()))
    if mail.header("return-path").replace(" ", "") == "<>" and not is_ours(mail.sender.address):
        return Verdict(Automatic.NOTICE, "it has no return path: no person sends such mail")
    return None


def _answers(mail: MailMessage) -> str:
    """How it shows that a machine answers each mail so; '' where it does not."""
    submitted = mail.header("auto-submitted").lower()
    if submitted.startswith("auto-replied"):
        return f"Auto-Submitted is {submitted[:50]}"
    for name in _MACHINE_HEADERS:
        if name in mail.headers and mail.header(name).lower() not in ("no", "false"):
            return f"{name} is set"
    if "auto_reply" in mail.header("precedence").lower():
        return "Precedence is auto_reply"
    return "its subject" if out_of_office.by_subject(mail.subject) else ""


def _bounced(report: Report) -> Verdict:
    if report.arrived:
        return Verdict(Automatic.RECEIPT, "it is a receipt: a mail was delivered", report)
    failed = ", ".join(f"{r.address} ({r.status or r.action})" for r in report.recipients[:3])
    late = report.recipients and all(r.action == "delayed" for r in report.recipients)
    said = "a mail is late" if late else "a mail did not arrive"
    return Verdict(Automatic.BOUNCE, f"it is a bounce: {said}" + (f" at {failed}" if failed else ""), report)


def likely(mail: MailMessage, own_domains: frozenset[str]) -> Verdict | None:
    """What is a machine's unless it tells of an enquiry: notices, lists, bulk, senders that nobody reads."""
    submitted = mail.header("auto-submitted").lower()
    if submitted.startswith("auto-"):
        return Verdict(Automatic.NOTICE, f"it is automatic: Auto-Submitted is {submitted[:50]}")
    if (name := _of_list(mail, own_domains)) is not None:
        return Verdict(Automatic.LIST, f"it came by a mailing list or newsletter: {name}")
    precedence = mail.header("precedence").lower().strip()
    if precedence in ("bulk", "junk", "list") and not _is_own_list(mail, own_domains):
        return Verdict(Automatic.BULK, f"it is bulk mail: Precedence is {precedence}")
    suppress = mail.header("x-auto-response-suppress").lower()
    if "all" in suppress or "autoreply" in suppress:
        return Verdict(Automatic.NOTICE, "it asks for no automatic answer, as programs do")
    if mail.header("x-auto-generated") or mail.header("x-autogenerated"):
        return Verdict(Automatic.NOTICE, "it is automatic: its program says so")
    if is_nobody(mail.sender.address):
        words = f"nobody reads what is sent to {mail.sender.address}"
        return Verdict(Automatic.NOTICE, words, by_sender=True)
    return None


def from_us(address: str) -> Verdict:
    """Of a mail that one of ours wrote, and that passes nothing on."""
    return Verdict(Automatic.OWN, f"it is from one of us ({address}), and passes no enquiry on")


def _of_list(mail: MailMessage, own_domains: frozenset[str]) -> str | None:
    if _is_own_list(mail, own_domains):
        return None
    for name in ("list-id", "list-unsubscribe", "list-post", "mailing-list"):
        if name in mail.headers:
            return f"{name.title().replace('Id', 'ID')} {mail.header(name)[:100]}".strip()
    return None


def _is_own_list(mail: MailMessage, own_domains: frozenset[str]) -> bool:
    """Whether the list is our own: a group such as sales@ that hands on what comes to it."""
    for name in ("list-id", "list-post", "mailing-list"):
        value = mail.header(name).lower()
        if value:
            return any(re.search(rf"[@.<]{re.escape(d)}(?![\w.-]*\w)", value) for d in own_domains)
    return False
