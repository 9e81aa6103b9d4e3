"""Mails that somebody makes to hurt: each is read or refused in bounded time, and what is kept can be stored."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from encodings.aliases import aliases

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import clock
from core.errors import Quarantined, Unreadable
from crm.submission import Submission
from intake.delivery import Delivery
from intake.mailbox.adapter import Mailbox
from intake.mailbox.readable import readable
from intake.mailbox.settings import MailboxSettings

SETTINGS = MailboxSettings.model_validate(
    {
        "key": "sales",
        "host": "imap.acme.test",
        "username": "sales@acme.test",
        "password": "x",
        "country": "BR",
        "authserv_id": "mx.acme.test",
        "colleagues": ["ana@client.test", "client.test"],
        "notifications": [
            {
                "subject": "portal",
                "labels": {"Name": "name", "Text": "message"},
                "patterns": {"phone": "T: (.*)"},
            }
        ],
    }
)
HEAD = b"From: ana@client.test\r\nSubject: Hi\r\n"
# Seconds of a processor: each takes one at most, and what takes the square of its length would need minutes.
BOUND = 30


def nested(levels: int, inner: bytes = b"Content-Type: text/plain\r\n\r\nhello\r\n") -> bytes:
    opening = b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (n, n) for n in range(levels)
    )
    return HEAD + opening + inner + b"".join(b"--b%d--\r\n" % n for n in reversed(range(levels)))


def parts(count: int, head: bytes) -> bytes:
    part = b"--x\r\n" + head + b"\r\nhello\r\n"
    return HEAD + b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + part * count + b"--x--\r\n"


def html(piece: bytes, size: int = 1_000_000) -> bytes:
    return HEAD + b"Content-Type: text/html\r\n\r\n" + piece * (size // len(piece))


def million(between: bytes) -> bytes:
    return between.join([b"user%d@client.test" % n for n in range(1_000_000)])


HOSTILE: dict[str, Callable[[], bytes]] = {
    "100 levels": lambda: nested(100),
    "1000 levels": lambda: nested(1000),
    "300 mails in each other": lambda: (
        HEAD + b"Content-Type: message/rfc822\r\n\r\nSubject: a\r\n" * 300 + b"\r\nhi"
    ),
    "10000 texts": lambda: parts(10_000, b"Content-Type: text/plain\r\n"),
    "10000 attachments": lambda: parts(10_000, b"Content-Disposition: attachment; filename=a.txt\r\n"),
    "a header of 1 MB": lambda: HEAD + b"X-Large: " + b"a" * 1_000_000 + b"\r\n\r\nhi",
    "a subject of 1 MB": lambda: b"From: a@b.c\r\nSubject: " + b"=?a?q?" * 170_000 + b"\r\n\r\nhi",
    "a header of 300000 lines": lambda: HEAD + b"X: a\r\n" + b" b\r\n" * 300_000 + b"\r\nhi",
    "100000 headers": lambda: HEAD + b"X: a\r\n" * 100_000 + b"\r\nhi",
    "only NULs": lambda: b"\0" * 100_000,
    "NULs everywhere": lambda: b"From: a\0b@c.d\r\nSubject: \0x\r\n\0: \0\r\n\r\n\0hi\0",
    "nothing": lambda: b"",
    "only headers": lambda: HEAD,
    "only half a header": lambda: b"From: ana@client.test",
    "a million recipients": lambda: HEAD + b"To: " + million(b",\r\n ") + b"\r\n\r\nhi",
    "a million senders": lambda: b"From: " + million(b", ") + b"\r\n\r\nhi",
    "a million parentheses": lambda: b"From: " + b"(" * 1_000_000 + b" a@b.c\r\n\r\nhi",
    "a million quotes": lambda: b"From: " + b'"\\' * 500_000 + b" a@b.c\r\n\r\nhi",
    "a charset with a NUL": lambda: HEAD + b'Content-Type: text/plain; charset="a\0b"\r\n\r\nh\xe9',
    "a slow charset": lambda: (
        HEAD + b"Content-Type: text/plain; charset=punycode\r\n\r\na-" + b"b9" * 500_000
    ),
    "a charset that is none": lambda: HEAD + b"Content-Type: text/plain; charset=zlib\r\n\r\nhi",
    "a name in pieces that do not fit": lambda: (
        HEAD + b"Content-Type: text/plain; name*1*=x; name*0*=utf-9''%ff; name*x=3; name*=a'b\r\n\r\nhi"
    ),
    "a boundary of 100 kB": lambda: (
        HEAD + b"Content-Type: multipart/mixed; boundary=" + b"(" * 100_000 + b"\r\n\r\nhi"
    ),
    "broken base64": lambda: HEAD + b"Content-Transfer-Encoding: base64\r\n\r\n=A=?\xff" * 1000,
    "uuencode": lambda: HEAD + b"Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 666 x\n#0V%T\n \nend\n",
    **{
        f"html of {piece!r}": lambda piece=piece: html(piece)  # type: ignore[misc]
        for piece in (
            *(b"<", b"<a", b"<a ", b'<a b="', b"<a b='>", b"</", b"</a ", b"<!", b"<!--", b"<!-->", b"<?"),
            *(b"<![", b"<![CDATA[", b"<script>", b"<head>", b"<title><style>", b"&", b"&#", b"&#x110000;"),
            *(b"<div>", b"<td>x", "İ<script>".encode(), b"\n \n\n"),
        )
    },
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_mail_is_read_or_refused_in_time(name: str) -> None:
    raw = HOSTILE[name]()
    began = time.thread_time()
    found = read(raw)
    assert time.thread_time() - began < BOUND
    if found is not None:
        safe(found)


def read(raw: bytes) -> Submission | None:
    """What becomes of it; None where it is set aside as not to be read."""
    delivery = Delivery(body=raw, content_type="message/rfc822", received_at=clock.now())
    try:
        found = Mailbox().parse(delivery, SETTINGS)
    except Unreadable:
        return None
    except Quarantined as verdict:
        return verdict.submission if isinstance(verdict.submission, Submission) else None
    return found if isinstance(found, Submission) else found.submission


def safe(found: Submission) -> None:
    """It can be stored, and it is not larger than it may be."""
    mail = found.mail
    assert mail is not None
    assert len(found.message) <= 200_000
    assert max(len(mail.to), len(mail.cc)) <= 50
    assert len(mail.recipients) <= 500
    assert len(found.files) <= 200
    lines = (found.title, found.name, *found.emails, *found.phones, mail.message_id, mail.subject)
    for text in (found.message, mail.whole_text, *lines, *(f.name for f in found.files)):
        text.encode()
        assert "\0" not in text
    for line in lines:
        assert "\n" not in line
        assert "\r" not in line
    json.dumps(dict(found.extra)).encode()


@pytest.mark.parametrize(
    "name", ["100 levels", "10000 attachments", "a header of 1 MB", "only headers", "a charset that is none"]
)
def test_a_mail_that_is_only_odd_is_understood(name: str) -> None:
    found = read(HOSTILE[name]())
    assert found is not None
    assert found.emails == ("ana@client.test",)


QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@QUICK
@given(st.binary(max_size=2000))
def test_random_bytes_are_read_or_refused(raw: bytes) -> None:
    for whole in (raw, HEAD + raw, HEAD + b"\r\n" + raw):
        if (found := read(whole)) is not None:
            safe(found)


@QUICK
@given(
    st.sampled_from(["From", "To", "Subject", "Date", "Content-Type", "Content-Disposition", "Message-ID"]),
    st.text(st.sampled_from("=?utf-8qQbB\"'()<>@,;:\\*/ \t\0ãé\udc80%0129_.boundary"), max_size=200),
)
def test_random_headers_are_read_or_refused(name: str, value: str) -> None:
    raw = f"{name}: {value}\r\n".encode("utf-8", "surrogateescape") + HEAD + b"\r\nhi"
    if (found := read(raw)) is not None:
        safe(found)


@QUICK
@given(
    st.lists(
        st.sampled_from(["<", ">", "</", "div", "script", "!--", "-->", '"', "'", "=", " ", "x", "&lt;"])
    )
)
def test_random_html_is_text_without_scripts(pieces: list[str]) -> None:
    assert readable(f"<script>{'secret'}</script>" + "".join(pieces)).find("secret") == -1


@pytest.mark.parametrize(
    "charset", sorted({*aliases.values(), "mbcs", "oem", "undefined", "x", "\0", "idna", "utf-8-sig"})
)
def test_no_charset_that_python_knows_stops_a_mail_from_being_read(charset: str) -> None:
    for text in (b"hello", b"h\xe9llo \xff\xfe", b""):
        found = read(HEAD + f"Content-Type: text/plain; charset={charset}\r\n\r\n".encode() + text)
        assert found is not None
        assert found.emails == ("ana@client.test",)
