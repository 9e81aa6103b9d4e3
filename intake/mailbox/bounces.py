"""Mails by which a server tells that ours did not arrive: by RFC 3464, and in the shapes from before it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from email import policy
from email.parser import BytesHeaderParser, HeaderParser

from crm.mail_facts import FailedRecipient
from intake.mailbox import addresses, header
from intake.mailbox.message import MailMessage
from intake.mailbox.parts import BROKEN
from intake.text import one_line

_MOST = 50
_LONGEST = 100_000
_REPORTS = ("message/delivery-status", "message/global-delivery-status")
_SENDERS = re.compile(
    r"(?:mailer-daemon|postmaster|mail-daemon|mailerdaemon|"
    r"microsoftexchange[0-9a-f]{20,40}|mail\.?delivery|bounces?)",
)
_SUBJECT = re.compile(
    r"\s*(?:undeliver(?:ed|able)|delivery status notification|"
    r"mail delivery (?:failed|failure|system|subsystem)|"
    r"delivery (?:failure|has failed|notification|incomplete|delayed)|"
    r"failure notice|returned mail|mail status report|"
    r"message (?:undeliverable|not delivered|you sent blocked)|"
    r"warning: (?:could not send message|message .{1,40} delayed)|"
    r"não (?:é possível entregar|entregue|foi possível)|"
    r"mensagem não entregue|falha na entrega|devolução de e-?mail|"
    r"no se puede entregar|no entregado|error de entrega|correo no entregado|"
    r"unzustellbar|nicht zustellbar|zustellung fehlgeschlagen|nachricht nicht zugestellt|"
    r"non remis|message non distribué|échec de (?:la )?remise|remise impossible|échec de distribution|"
    r"配信不能|配送不能|配信エラー|送信エラー|メール(?:は|が)?(?:配信|送信)でき|不達)",
    re.IGNORECASE,
)
_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_CODE = re.compile(r"(?<![\d.])([45])\d\d[\s-]")
_ADDRESS = re.compile(r"[^\s<>,;:\"()\[\]']{1,64}@[^\s<>,;:\"()\[\]']{1,255}")
_MESSAGE_ID = re.compile(r"^[> \t]{0,10}message-id:\s{0,5}(<[^<>\s]{1,500}>)", re.IGNORECASE | re.MULTILINE)
#: Behind such a line the mail that came back stands as text.
_COPY = re.compile(
    r"^.{0,10}(?:below this line is a copy of the message|this is a copy of (?:the|your) message|"
    r"original message (?:headers|follows)|unsent message follows|"
    r"original message|cabeçalhos? da mensagem original|"
    r"encabezados? del mensaje original|ursprüngliche nachrichtenkopfzeilen|en-têtes de message d'origine)",
    re.IGNORECASE | re.MULTILINE,
)
_KEPT_HEADERS = ("message-id", "subject", "to", "from", "date", "in-reply-to", "references")


@dataclass(frozen=True, slots=True)
class Report:
    """What the server says: whom it could not reach, and which mail that was."""

    recipients: tuple[FailedRecipient, ...]
    original_message_id: str = ""
    original_headers: dict[str, str] = field(default_factory=dict)

    @property
    def arrived(self) -> bool:
        """Whether it tells of nothing but success."""
        return bool(self.recipients) and all(
            r.action in ("delivered", "relayed", "expanded") for r in self.recipients
        )


def read(mail: MailMessage) -> Report | None:
    """The report, None where the mail is none."""
    told = [text for kind, text in mail.reports if kind in _REPORTS]
    if told:
        found = [r for text in told for r in _recipients(text)]
    elif mail.header("x-failed-recipients") or _is_one(mail):
        found = _of_text(mail)
    else:
        return None
    original = _original(mail)
    message_id = original.get("message-id") or _told_id(mail)
    return Report(tuple(found[:_MOST]), message_id[:500], original)


def _is_one(mail: MailMessage) -> bool:
    """Whether a server wrote it, by whom it is from and what it is called."""
    sender = addresses.local_part(mail.sender.address)
    from_server = _SENDERS.fullmatch(sender) is not None or sender.startswith("mailer-daemon")
    nobody = mail.header("return-path").replace(" ", "") == "<>"
    called = _SUBJECT.match(mail.subject) is not None
    return (from_server and (nobody or called)) or (nobody and called)


def _recipients(text: str) -> list[FailedRecipient]:
    """The groups of fields, one a recipient; the first is about the whole mail (RFC 3464 section 2.1)."""
    found = []
    for group in re.split(r"\r?\n(?:[ \t]*\r?\n)+", text[:_LONGEST].strip())[: _MOST + 1]:
        fields = _fields(group)
        address = _typed(fields.get("original-recipient", "")) or _typed(fields.get("final-recipient", ""))
        final = _typed(fields.get("final-recipient", ""))
        if not (address or final) or not (action := fields.get("action", "").lower().split()):
            continue
        status = _STATUS.search(fields.get("status", ""))
        found.append(
            FailedRecipient(
                # Where it was sent on, the address that we know is the one we wrote to.
                address=(address if "@" in address else final)[:400],
                action=action[0][:20],
                status=status[1] if status else "",
                diagnostic=_typed(fields.get("diagnostic-code", ""))[:1000],
            )
        )
    return found


def _fields(group: str) -> dict[str, str]:
    try:
        parsed = HeaderParser(policy=policy.compat32).parsestr(group.strip() + "\n\n")
        return {
            name.lower(): header.opened(header.raw_text(str(value))) for name, value in parsed.raw_items()
        }
    except BROKEN:
        return {}


def _typed(value: str) -> str:
    """The value without the word before it that says of what kind it is."""
    return one_line(value.partition(";")[2] or value).strip("<>")


def _of_text(mail: MailMessage) -> list[FailedRecipient]:
    """Whom the text names: by lines, above the copy of what came back."""
    text = mail.text[:_LONGEST]
    copy = _COPY.search(text)
    above = text[: copy.start()] if copy and copy.start() > 0 else text
    named = _ADDRESS.findall(mail.header("x-failed-recipients")[:5000])
    ours = {a.lower() for a in (*mail.recipients, mail.sender.address)}
    status, code = _STATUS.search(above), _CODE.search(above)
    found: list[FailedRecipient] = []
    for address in named or _ADDRESS.findall(above):
        address = address.strip(".'")
        if address.lower() in ours or any(r.address == address for r in found):
            continue
        delayed = (
            "delay" in mail.subject.lower() or "will keep trying" in above or "verzögert" in above.lower()
        )
        found.append(
            FailedRecipient(
                address=address[:400],
                action="delayed" if delayed else "failed",
                status=status[1] if status else (f"{code[1]}.0.0" if code else ""),
                diagnostic=_line_with(above, status or code),
            )
        )
        if not named and len(found) == 10:
            break
    return found


def _line_with(text: str, found: re.Match[str] | None) -> str:
    if found is None:
        return ""
    begin = text.rfind("\n", 0, found.start()) + 1
    end = text.find("\n", found.end())
    return one_line(text[begin : end if end >= 0 else len(text)])[:1000]


def _original(mail: MailMessage) -> dict[str, str]:
    """The headers of the mail that came back, as far as they did."""
    for kind, text in mail.reports:
        if kind in ("text/rfc822-headers", "message/global-headers"):
            return _told(text.encode("utf-8", "replace"))
    for raw in mail.inner:
        return _told(raw)
    return {}


def _told(raw: bytes) -> dict[str, str]:
    try:
        parsed = BytesHeaderParser(policy=policy.compat32).parsebytes(raw[:_LONGEST])
        headers = header.headers_of(parsed)
    except BROKEN:
        return {}
    return {name: header.first(headers, name)[:1000] for name in _KEPT_HEADERS if name in headers}


def _told_id(mail: MailMessage) -> str:
    if found := _MESSAGE_ID.search(mail.text[:_LONGEST]):
        return found[1]
    return mail.in_reply_to or (mail.references[-1] if mail.references else "")
