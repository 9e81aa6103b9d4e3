"""What a signature tells of its writer: telephone, company, what they are. Found, not stated."""

from __future__ import annotations

import re

import phonenumbers

from crm.submission import Found
from intake.mailbox import markers
from intake.text import one_line

_LONGEST = 4000
_MOST_LINES = 40
#: How often something that looks like a number may turn out to be none.
_TRIES = 200
_FAX = re.compile(r"\b(tele)?fax\b|fax:|^\s*f\s*[:.]|ファックス|FAX", re.IGNORECASE)
_FIRM = re.compile(
    r"\b(?:ltd|limited|llc|llp|inc|corp|plc|gmbh(?: & co\.? kg)?|"
    r"ag|kg|ohg|e\.k|ug|s\.?a\.?r\.?l|s\.?a\.?s|s\.a|"
    r"sasu|eurl|ltda|lda|eireli|s\.?l\.?u?|s\.?r\.?l|s\.?p\.?a|b\.v|a/s|oy|ab)\b\.?$|株式会社|有限会社|合同会社",
    re.IGNORECASE,
)
_ROLE = re.compile(
    r"\b(?:manager|director|head of|chief|ceo|cto|cfo|coo|founder|co-founder|owner|president|engineer|buyer|"
    r"purchasing|procurement|consultant|assistant|coordinator|specialist|partner|analyst|architect|"
    r"gerente|diretora?|directora?|compras|comprador|compradora|"
    r"coordenadora?|coordinadora?|analista|assistente|"
    r"sóci[oa]|proprietári[oa]|fundadora?|engenheir[oa]|arquitet[oa]|arquitect[oa]|responsable|jef[ea] de|"
    r"dueñ[oa]|encargad[oa]|administradora?|administrativ[oa]|consultora?|ingenier[oa]|"
    r"geschäftsführer(?:in)?|einkauf|einkäufer(?:in)?|"
    r"einkaufsleiter(?:in)?|leiter(?:in)?|leitung|inhaber(?:in)?|"
    r"projektleiter(?:in)?|sachbearbeiter(?:in)?|assistenz|prokurist(?:in)?|vertrieb|"
    r"directeur|directrice|gérante?|chargée? d[e']|chef de|acheteuse|acheteur|achats|ingénieure?|fondateur|"
    r"fondatrice|présidente?|assistant[e]?)\b|部長|課長|係長|主任|代表取締役|取締役|担当|社長|マネージャー",
    re.IGNORECASE,
)
_APART = re.compile(r"\s*(?:\||·|•|–|—|/| - )\s*")


def found(text: str, signature: str, *, name: str, country: str | None) -> Found:
    """What the signature tells. Telephone numbers are also looked for in the text itself.

    `country` (ISO 3166 alpha-2) is where national numbers are read; without it only +… is found.
    """
    lines = [one_line(line)[:200] for line in signature.split("\n")[:_MOST_LINES]]
    lines = [line for line in lines if line and not markers.from_mobile(line) and not markers.closes(line)]
    role, company = _who(lines, name)
    dialled = [p for line in lines for p in re.split(r"\s*[|·•]\s*|\s{3,}", line) if not _FAX.search(p)]
    below = _phones("\n".join(dialled), country)
    return Found(
        phones=tuple(dict.fromkeys((*_phones(text, country), *below)))[:5], company=company, role=role
    )


def _phones(text: str, country: str | None) -> list[str]:
    """Numbers that can be dialled; those with their country's code also where its plan does not know them."""
    text = text[:_LONGEST]
    national = phonenumbers.PhoneNumberMatcher(text, country or "ZZ", max_tries=_TRIES)
    possible = phonenumbers.Leniency.POSSIBLE
    found = [(m.start, m.number) for m in national]
    if "+" in text:
        others = phonenumbers.PhoneNumberMatcher(text, "ZZ", leniency=possible, max_tries=_TRIES)
        taken = {start for start, _ in found}
        found += [(m.start, m.number) for m in others if m.raw_string[0] == "+" and m.start not in taken]
    ordered = sorted(found, key=lambda one: one[0])
    form = phonenumbers.PhoneNumberFormat.E164
    return list(dict.fromkeys(phonenumbers.format_number(number, form) for _, number in ordered))


def _who(lines: list[str], name: str) -> tuple[str, str]:
    """The role and the company, '' each where no line tells."""
    role, company, where = "", "", -1
    for at, line in enumerate(lines[:8]):
        if "@" in line or "http" in line or "www." in line or len(line) > 100:
            continue
        # A firm's name may hold a comma; what somebody is stands before one.
        pieces = [q for p in _APART.split(line) for q in ([p] if _FIRM.search(p) else p.split(", ")) if q]
        if not company and (firm := next((p for p in pieces if _FIRM.search(p)), "")):
            company = firm
        if not role and len(line) <= 90 and line.casefold() != name.casefold():
            said = next((p for p in pieces if _ROLE.search(p) and p != company and len(p) <= 60), "")
            if said:
                role, where = said, at
                others = [p for p in pieces if p != said and p.casefold() != name.casefold()]
                if not company and len(others) == 1 and not _has_number(others[0]):
                    company = others[0]
    if not company and 0 <= where < len(lines) - 1:
        # Under what somebody is people write where.
        below = lines[where + 1]
        if not ("@" in below or "www." in below or "http" in below or _has_number(below) or len(below) > 60):
            company = below
    return role[:200], company[:200]


def _has_number(text: str) -> bool:
    return sum(c.isdigit() for c in text) >= 4
