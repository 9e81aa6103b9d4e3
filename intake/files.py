"""Files that came with a submission: which of them are kept, under which key, as what. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.ids import digest
from crm.attachments import KeptFile
from crm.submission import UploadedFile
from intake.forms import filetypes
from intake.forms.settings import FormSettings
from intake.mailbox.settings import MailboxSettings
from intake.text import one_line

#: More files than this of one submission are not kept beside the journal.
MOST = 20
#: The largest file that a form takes which says nothing of its size.
LARGEST = 10_000_000
#: The largest of a mail: what the usual servers let through.
LARGEST_OF_MAIL = 25_000_000
#: By mail people send what only their trade knows, mails, and containers that are signed or encrypted.
_BY_MAIL = (
    *(*filetypes.USUAL, "message/rfc822", "text/calendar", "text/vcard", "application/rtf"),
    *("application/pgp-*", "application/pkcs7-*", "application/x-x509-*", "application/vnd.ms-pki.*"),
    *("application/vnd.ms-outlook", "image/x-dwg", "image/vnd.dwg", "image/vnd.dxf"),
)
_NOT_TAKEN = "files of this kind are not taken"


def sorted_out(files: Sequence[UploadedFile], settings: object, event_id: str) -> list[KeptFile]:
    """What becomes of each file; one that is not taken stays in the journal alone, and says why."""
    declared = {f.name: f for f in settings.fields} if isinstance(settings, FormSettings) else {}
    by_mail = isinstance(settings, MailboxSettings)
    largest = LARGEST_OF_MAIL if by_mail else LARGEST
    found = []
    for position, file in enumerate(files[:MOST]):
        field = declared.get(file.field)
        if by_mail:
            kind, refused = of_mail(file.content, file.name)
        else:
            kind = filetypes.kind_of(file.content, file.name)
            refused = "" if filetypes.is_taken(kind, field.accept if field else ()) else _NOT_TAKEN
        if len(file.content) > (field.max_bytes if field else largest):
            refused = "too large"
        found.append(
            KeptFile(
                position=position,
                name=one_line(file.name)[:200] or "file",
                kind=kind,
                size=len(file.content),
                digest=digest(file.content),
                place="" if refused else f"enquiries/{event_id}/{position}",
                refused=refused,
            )
        )
    return found


def of_mail(content: bytes, name: str) -> tuple[str, str]:
    """A mail's file by its content: its media type, and why it is not taken, '' where it is."""
    kind = filetypes.kind_of(content, name)
    if kind == filetypes.UNKNOWN and not filetypes.runs(content):
        return kind, ""
    return kind, "" if filetypes.is_taken(kind, _BY_MAIL) else _NOT_TAKEN


def to_store(files: Sequence[UploadedFile], kept: Sequence[KeptFile]) -> Mapping[str, bytes]:
    """The contents by their keys in the storage."""
    return {k.place: files[k.position].content for k in kept if k.place}
