"""Mails that are signed or encrypted: containers are kept whole, a text is read where it is plain."""

from __future__ import annotations

from intake.mailbox.message import MailMessage

_SIGNATURES = frozenset(
    {"application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"}
)
_SMIME = ("application/pkcs7-mime", "application/x-pkcs7-mime")
_BEGIN, _SIGNATURE, _END = (
    "-----BEGIN PGP SIGNED MESSAGE-----",
    "-----BEGIN PGP SIGNATURE-----",
    "-----END PGP SIGNATURE-----",
)


def kind(mail: MailMessage) -> str:
    """How the mail is closed, in words for people; '' where it is open."""
    if mail.content_type == "multipart/encrypted" or "-----BEGIN PGP MESSAGE-----" in mail.text[:20_000]:
        return "encrypted with OpenPGP"
    if mail.content_type in _SMIME:
        signed = "signed-data" in mail.header("content-type").lower()
        return "signed with S/MIME, its text inside the container" if signed else "encrypted with S/MIME"
    return ""


def is_signature(content_type: str) -> bool:
    """Whether a file only proves who wrote the rest."""
    return content_type in _SIGNATURES


def unarmoured(text: str) -> str:
    """The text without what OpenPGP put around it to sign it (RFC 9580 section 7)."""
    begin = text.find(_BEGIN)
    end = text.find(_SIGNATURE, begin + 1)
    if begin < 0 or end < 0:
        return text
    _, _, signed = text[begin:end].partition("\n\n")
    after = text.find(_END, end)
    rest = text[after + len(_END) :] if after >= 0 else ""
    lines = [line.removeprefix("- ") for line in signed.split("\n")]
    return text[:begin] + "\n".join(lines) + rest
