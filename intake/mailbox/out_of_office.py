"""Answers by which a machine says that somebody is away, in the languages of our users."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

_LONGEST = 5000
#: Subjects that only such an answer has: inside of others the words say nothing ("Out of office furniture").
_SUBJECT = re.compile(
    r"\s*(?:re: ?|aw: ?|res: ?)?(?:"
    r"out[ -]of[ -](?:the[ -])?office(?: auto(?:matic)?[ -]?reply| reply| message)?\s*(?:[:：–-]|$)|"
    r"auto(?:matic)?[ -]?reply\s*[:：–-]|auto(?:matic)?[ -]?reply$|automatic reply\b|autoreply\b|"
    r"i am (?:currently )?out of (?:the )?office|away from (?:the |my )?office|"
    r"on (?:vacation|annual leave|holiday)s?\s*(?:[:–-]|$)|"
    r"resposta autom[áa]tica|aus[êe]ncia(?: tempor[áa]ria)?\s*(?:[:–-]|$|do escrit)|"
    r"fora do escrit[óo]rio|de f[ée]rias\b|"
    r"respuesta autom[áa]tica|fuera de (?:la )?oficina|ausente\b|estoy de vacaciones|"
    r"automatische antwort|abwesenheit(?:snotiz|sassistent|snachricht|smeldung)?\b|"
    r"au(?:ß|ss)er haus|nicht im (?:büro|haus)|"
    r"r[ée]ponse automatique|absence(?: du bureau)?\s*(?:[:–-]|$)|"
    r"message d['’]absence|absent(?:e)? du bureau|en cong[ée]s?\b|"
    r"自動(?:返信|応答|回答)|不在(?:通知|連絡|のお知らせ|です)?|休暇(?:中|のお知らせ))",
    re.IGNORECASE,
)
#: What the text of such an answer says.
_AWAY = re.compile(
    r"out of (?:the )?office|"
    r"on (?:vacation|annual leave|holiday|parental leave|maternity leave|leave)|away (?:from|until)|"
    r"(?:will be|am) (?:back|away|returning)|"
    r"limited access to (?:my )?e-?mail|no longer (?:with|works?|employed)|"
    r"estou (?:ausente|de f[ée]rias|fora)|estarei (?:ausente|de f[ée]rias|fora)|"
    r"aus[êe]ncia|fora do escrit[óo]rio|em f[ée]rias|"
    r"estoy (?:fuera|ausente|de vacaciones)|"
    r"estar[ée] (?:fuera|ausente|de vacaciones)|fuera de (?:la )?oficina|vacaciones|"
    r"nicht im (?:b[üu]ro|haus)|abwesend|au(?:ß|ss)er haus|im urlaub|in elternzeit|nicht erreichbar|"
    r"absent|en cong[ée]|de retour le|hors du bureau|"
    r"不在|休暇|休業|出張|外出|夏季休|年末年始",
    re.IGNORECASE,
)
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan janeiro enero ene januar jänner janvier",
            "february feb fevereiro fev febrero februar février fevrier fév",
            "march mar março marco marzo märz mrz mars",
            "april apr abril abr avril avr",
            "may maio mai mayo",
            "june jun junho junio juni juin",
            "july jul julho julio juli juillet juil",
            "august aug agosto ago août aout",
            "september sep sept setembro set septiembre septembre",
            "october oct outubro out octubre oktober okt octobre",
            "november nov novembro noviembre novembre",
            "december dec dezembro dez diciembre dic dezember décembre decembre déc",
        ),
        start=1,
    )
    for name in names.split()
}
_NAME = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DATES = (
    (re.compile(r"(?<!\d)(\d{4})-(\d{1,2})-(\d{1,2})(?!\d)"), "ymd"),
    (re.compile(r"(?:(\d{4})\s?年\s?)?(\d{1,2})\s?月\s?(\d{1,2})\s?日"), "ymd"),
    (re.compile(r"(?<!\d)(\d{4})/(\d{1,2})/(\d{1,2})(?!\d)"), "ymd"),
    (re.compile(r"(?<!\d)(\d{1,2})\.\s?(\d{1,2})\.(?:\s?(\d{4}|\d{2})(?!\d))?"), "dmy"),
    (re.compile(r"(?<!\d)(\d{1,2})[/-](\d{1,2})(?:[/-](\d{4}|\d{2}))?(?!\d)"), "d?y"),
    (
        re.compile(
            rf"(?<!\d)(\d{{1,2}})(?:st|nd|rd|th|er|º|ª|\.)?\s(?:de |"
            rf"of )?({_NAME})\b\.?,?(?:\s(?:de |del |of )?(\d{{4}}))?",
            re.IGNORECASE,
        ),
        "dMy",
    ),
    (
        re.compile(rf"\b({_NAME})\.?\s(\d{{1,2}})(?:st|nd|rd|th)?(?!\d)(?:,?\s(\d{{4}}))?", re.IGNORECASE),
        "Mdy",
    ),
)
_UNTIL = re.compile(
    r"until|till|through|back (?:on|in)|return(?:ing)?|bis\b|"
    r"zurück|wieder|ab dem|até|ate o dia|retorno|volto|voltarei|"
    r"hasta|regres|vuelvo|volver|jusqu|retour|reviens|serai de|まで|から出社|より出社|に戻|以降|より通常",
    re.IGNORECASE,
)


def by_subject(subject: str) -> bool:
    """Whether only such an answer, or another machine's, is called so."""
    return _SUBJECT.match(subject[:300]) is not None


def by_text(subject: str, text: str) -> bool:
    """Whether it says that somebody is away."""
    return _AWAY.search(subject[:300]) is not None or _AWAY.search(text[:_LONGEST]) is not None


def until(text: str, sent: datetime) -> date | None:
    """The last day away, or the day of return: the latest date that is told as one; None where none is."""
    text = text[:_LONGEST]
    told = [m.start() for m in _UNTIL.finditer(text)][:50]
    found: list[tuple[bool, date]] = []
    for pattern, order in _DATES:
        for match in list(pattern.finditer(text))[:20]:
            day = _day(match, order, sent.date())
            if day is not None and timedelta(0) <= day - sent.date() < timedelta(days=400):
                # The word stands before the day, in Japanese behind it.
                near = any(-12 <= match.start() - at <= 60 or -12 <= at - match.end() <= 8 for at in told)
                found.append((near, day))
    return max(found)[1] if found else None


def _day(match: re.Match[str], order: str, sent: date) -> date | None:
    values = match.groups()
    choices = [dict(zip(order, values, strict=True))]
    if order == "d?y":  # in the United States the month stands first
        choices = [dict(zip(o, values, strict=True)) for o in ("dmy", "mdy")]
    days = [day for choice in choices if (day := _made(choice, sent)) is not None]
    # Where both can be meant, the first that is still to come; day before month, as most of the world writes.
    coming = [day for day in days if day >= sent]
    return coming[0] if coming else next(iter(days), None)


def _made(choice: dict[str, str | None], sent: date) -> date | None:
    named = choice.get("M")
    month = _MONTHS[named.lower()] if named else int(choice.get("m") or 0)
    year = int(choice.get("y") or 0)
    year += 2000 if 0 < year < 100 else 0
    try:
        made = date(year or sent.year, month, int(choice["d"] or 0))
        if not year and made < sent - timedelta(days=60):
            made = made.replace(year=sent.year + 1)
    except ValueError:
        return None
    return made
