"""What people write for numbers, days, moments, yes and no: in files, and in forms of ours. Pure."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from core.errors import Invalid

_YES = frozenset({"yes", "true", "1", "y", "x", "sim", "si", "sí", "ja", "oui"})
_NO = frozenset({"no", "false", "0", "n", "não", "nao", "nein", "non"})
# Where 3/4 is the third day of no month: the others write the day first.
_MONTH_FIRST = frozenset({"US", "PH", "FM", "MH", "PW", "GU", "PR"})
_LONGEST = 60
_NUMERIC = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})")
_YEAR_FIRST = re.compile(r"(\d{4})[./] ?(\d{1,2})[./] ?(\d{1,2})\.?")
_DAY_FIRST = re.compile(
    r"(?:le |den |the |o dia )?(\d{1,2})(?:st|nd|rd|th|er|o|\.)?[\s-]+(?:of |de )?([^\W\d_]+)"
    r"\.?,?[\s-]+(?:de |del )?(\d{4}|\d{2})"
)
_NAME_FIRST = re.compile(r"([^\W\d_]+)\.?[\s-]+(\d{1,2})(?:st|nd|rd|th)?,?[\s-]+(\d{4}|\d{2})")
_TIME = re.compile(
    r"(.*?)(?:[\st,]|\bat\b|\bas\b|\bum\b)+(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*([ap])?\.?(?:m\.?)?",
    re.DOTALL,
)
# January to December in the languages that headers of files are known in, and two more.
_MONTHS = (
    "january janeiro enero januar janvier gennaio januari",
    "february fevereiro febrero februar fevrier febbraio februari",
    "march marco marzo marz maerz mars maart mrz",
    "april abril avril aprile avr abr",
    "may maio mayo mai maggio mei",
    "june junho junio juni juin giugno",
    "july julho julio juli juillet luglio",
    "august agosto aout augustus",
    "september setembro septiembre setiembre septembre settembre",
    "october outubro octubre oktober octobre ottobre",
    "november novembro noviembre novembre",
    "december dezembro diciembre dezember decembre dicembre",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Custom:
    """How days and moments are written here."""

    zone: ZoneInfo
    month_first: bool = False

    @classmethod
    def of(cls, zone: ZoneInfo, *, locale: str, country: str) -> Custom:
        """By the region of the locale, else by the country."""
        region = locale.replace("_", "-").rpartition("-")[2].upper()
        return cls(
            zone,
            (region if len(region) == 2 and "-" in locale.replace("_", "-") else country) in _MONTH_FIRST,
        )


def decimal(text: str, field: str) -> Decimal:
    """A number as people write it, with a point or a comma before its last places. Raises Invalid."""
    written = text.replace(" ", "").replace("\N{NO-BREAK SPACE}", "").replace("\N{NARROW NO-BREAK SPACE}", "")
    if "," in written:
        if written.count(",") > 1 and "." not in written:
            written += "."
        last = max(written.rfind(","), written.rfind("."))
        if written.count(",") == 1 and "." not in written and len(written) - last == 4:
            raise Invalid("some values are not acceptable", {field: f"'{text[:60]}' may mean two amounts"})
        written = written[:last].replace(",", "").replace(".", "") + "." + written[last + 1 :]
    try:
        found = Decimal(written)
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite():
        raise Invalid("some values are not acceptable", {field: f"'{text[:60]}' is no number"})
    return found


def flag(text: str, field: str) -> bool:
    """Yes or no, in five languages. Raises Invalid."""
    word = text.strip().casefold()
    if word not in _YES | _NO:
        raise Invalid("some values are not acceptable", {field: f"'{text[:60]}' is neither yes nor no"})
    return word in _YES


def day(text: str, custom: Custom) -> date | None:
    """A day: 2026-01-31, or as it is written here, with a month's number or name; None for what is none."""
    written = _folded(text)
    try:
        return datetime.fromisoformat(written.upper()).date()
    except ValueError:
        parts = _TIME.fullmatch(written)
    return _day(_before(parts) or written, custom)


def moment(text: str, custom: Custom) -> datetime | None:
    """A moment in UTC; one without a zone is of the workspace's, one without a time begins its day."""
    written = _folded(text)
    try:
        found = datetime.fromisoformat(written.upper())
    except ValueError:
        parts = _TIME.fullmatch(written)
        on = _day(_before(parts) or written, custom)
        at = _clock(parts) if parts and _before(parts) else time()
        if on is None or at is None:
            return None
        found = datetime.combine(on, at)
    try:
        return (found if found.tzinfo else found.replace(tzinfo=custom.zone)).astimezone(UTC)
    except OverflowError:
        return None


def _before(parts: re.Match[str] | None) -> str:
    return parts[1].strip(" ,t") if parts else ""


def _clock(parts: re.Match[str]) -> time | None:
    hour, minute, second = int(parts[2]), int(parts[3]), int(parts[4] or 0)
    if half := parts[5]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half == "p" else 0)
    try:
        return time(hour, minute, second)
    except ValueError:
        return None


def _day(folded: str, custom: Custom) -> date | None:
    try:
        return date.fromisoformat(folded.upper())
    except ValueError:
        pass
    if (found := _YEAR_FIRST.fullmatch(folded)) is not None:
        return _of(int(found[1]), int(found[2]), int(found[3]))
    if (found := _NUMERIC.fullmatch(folded)) is not None:
        first, second = int(found[1]), int(found[3])
        month_first = (custom.month_first and first <= 12) or second > 12
        month, of_month = (first, second) if month_first else (second, first)
        return _of(_year(found[4]), month, of_month)
    if (found := _DAY_FIRST.fullmatch(folded)) is not None:
        return _of(_year(found[3]), _month(found[2]), int(found[1]))
    if (found := _NAME_FIRST.fullmatch(folded)) is not None:
        return _of(_year(found[3]), _month(found[1]), int(found[2]))
    return None


def _month(word: str) -> int:
    """The month that a name or its beginning means; 0 for none, or for several."""
    if len(word) < 3:
        return 0
    found = {n for n, names in enumerate(_MONTHS, 1) if any(m.startswith(word) for m in names.split())}
    return found.pop() if len(found) == 1 else 0


def _year(written: str) -> int:
    year = int(written)
    return year if len(written) == 4 else year + (2000 if year < 70 else 1900)


def _of(year: int, month: int, of_month: int) -> date | None:
    try:
        return date(year, month, of_month)
    except ValueError:
        return None


def _folded(text: str) -> str:
    """In small letters, without accents, with single blanks; empty where it is too long to be a day."""
    if len(text) > _LONGEST:
        return ""
    plain = unicodedata.normalize("NFKD", " ".join(text.lower().split()))
    return "".join(c for c in plain if not unicodedata.combining(c))
