"""Files that go out with a mail: bounded, and laid into the storage before the mail is noted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core import storage
from core.errors import Invalid
from core.ids import digest
from crm.attachments import KeptFile
from intake.forms import filetypes
from intake.text import one_line

MOST = 20
#: All together, in bytes: larger ones many mail servers refuse.
LARGEST = 20 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class File:
    """A file as somebody chose it."""

    name: str
    content: bytes


def lay_in(files: Sequence[File], files_id: str) -> list[KeptFile]:
    """Keeps the files in the storage.

    Raises Invalid where there are too many or they are too large, Unavailable where the storage takes none.
    """
    if len(files) > MOST:
        raise Invalid("too many files", {"attachments": f"are more than {MOST}"})
    if sum(len(file.content) for file in files) > LARGEST:
        raise Invalid("too large", {"attachments": f"are larger than {LARGEST // 2**20} MB together"})
    kept = []
    for position, file in enumerate(files):
        place = f"mails/{files_id}/{position}"
        storage.put(place, file.content)
        kept.append(
            KeptFile(
                position=position,
                name=one_line(file.name).replace("/", "_").replace("\\", "_")[:200] or "file",
                kind=filetypes.kind_of(file.content, file.name),
                size=len(file.content),
                digest=digest(file.content),
                place=place,
            )
        )
    return kept
