"""The names and questions by which people ask for the same, in five languages. Pure."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

_NAMES = {
    "name": (
        "name nom fullname yourname contactname customername nome nomecompleto seunome nombre "
        "nombrecompleto nombreyapellidos sunombre vorundnachname ihrname kontaktname nomcomplet "
        "nometprenom votrenom sechama sellama tellamas heissensie vousappelez"
    ),
    "first_name": "firstname fname givenname first primeironome primernombre vorname prenom",
    "last_name": (
        "lastname lname surname familyname last sobrenome apelido apellido apellidos nachname "
        "familienname nomdefamille"
    ),
    "email": (
        "email mail emailaddress youremail mailaddress replyto correo correoelectronico "
        "emailadresse mailadresse ihreemail adressemail courriel adresseemail votreemail "
        "enderecodeemail seuemail workemail businessemail contactemail"
    ),
    "phone": (
        "phone tel telephone phonenumber mobile mobilenumber cell cellphone whatsapp telefone "
        "telemovel celular telefono movil numerodetelefono telefon telefonnummer handy "
        "handynummer rufnummer mobil portable numerodetelephone yourphone "
        "numerodetelefone numerodetelemovel numerotelefone numerotelemovel numerotelefono telefonnr handynr "
        "phoneno contactnumber contactphone workphone homephone contactotelefonico contatotelefonico"
    ),
    "company": (
        "company companyname organization organisation business empresa nomedaempresa compania "
        "firma unternehmen firmenname entreprise societe"
    ),
    "message": (
        "message yourmessage comments comment body enquiry inquiry question details mensagem "
        "comentarios comentario mensaje consulta nachricht ihrenachricht anfrage kommentar frage "
        "commentaire demande descricao"
    ),
    "title": "subject yoursubject topic assunto asunto betreff sujet objet",
    "consent": (
        "consent acceptance gdpr rgpd lgpd privacy privacypolicy privacidade privacidad "
        "datenschutz aceito acepto consentement consentimento agree terms optin "
        "gdprconsent privacyconsent einwilligung datenschutzerklarung politicadeprivacidade "
        "politicadeprivacidad politiquedeconfidentialite consentimiento"
    ),
}
_MEANING = {name: meaning for meaning, names in _NAMES.items() for name in names.split()}
# In a question, the more special first; consent is never taken from a sentence.
_SPECIAL = ("email", "phone", "company", "first_name", "last_name", "name", "message")
_MOST_WORDS = 8
#: What a field may be, beside a custom field of its own.
MEANINGS = frozenset(_NAMES)
_LAST_PART = re.compile(r"\[([^\[\]]+)\]$")
#: Names that say where a visitor came from, kept as attribution.
ATTRIBUTION = frozenset(
    {
        "fbclid",
        "gbraid",
        "gclid",
        "landing_page",
        "li_fat_id",
        "msclkid",
        "page_url",
        "referrer",
        "referer",
        "ttclid",
        "twclid",
        "utm_campaign",
        "utm_content",
        "utm_id",
        "utm_medium",
        "utm_source",
        "utm_term",
        "wbraid",
    }
)


def meaning(name: str) -> str | None:
    """name, first_name, last_name, email, phone, company, message, title or consent; None for other names.

    Of a nested name (`form_fields[email]`) the last part counts, without case, accents and marks.
    """
    part = _LAST_PART.search(name)
    return _MEANING.get(re.sub(r"[^a-z]", "", _folded(part[1] if part else name)))


def question(text: str) -> str | None:
    """The same for a whole question, such as "What's your name?": the first of its words that is known.

    Of several, what is more special counts: a company's name is a company.
    """
    found = meaning(text)
    if found is not None:
        return found
    words = re.findall(r"[a-z]+", _folded(text))
    said = {m for one in (words, [a + b for a, b in pairwise(words)]) for w in one if (m := _MEANING.get(w))}
    return next((m for m in _SPECIAL if m in said), None) if len(words) <= _MOST_WORDS else None


def slug(text: str) -> str:
    """A question as the name of a custom field, such as `how_many_employees`; empty where it has none."""
    found = re.sub(r"[^a-z0-9]+", "_", _folded(text)).strip("_")[:60].strip("_")
    return found if found[:1].isalpha() else f"f_{found}" if found else ""


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKD", text.lower().replace("ß", "ss")).encode("ascii", "ignore").decode()
