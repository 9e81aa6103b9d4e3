"""The names people give to a form's fields, in five languages, and what they mean. Pure."""

from __future__ import annotations

import re
import unicodedata

_NAMES = {
    "name": (
        "name fullname yourname contactname customername nome nomecompleto seunome nombre "
        "nombrecompleto nombreyapellidos sunombre vorundnachname ihrname kontaktname nomcomplet "
        "nometprenom votrenom"
    ),
    "first_name": "firstname fname givenname first primeironome primernombre vorname prenom",
    "last_name": (
        "lastname lname surname familyname last sobrenome apelido apellido apellidos nachname "
        "familienname nomdefamille"
    ),
    "email": (
        "email mail emailaddress youremail mailaddress replyto correo correoelectronico "
        "emailadresse mailadresse ihreemail adressemail courriel adresseemail votreemail "
        "enderecodeemail seuemail"
    ),
    "phone": (
        "phone tel telephone phonenumber mobile mobilenumber cell cellphone whatsapp telefone "
        "telemovel celular telefono movil numerodetelefono telefon telefonnummer handy "
        "handynummer rufnummer mobil portable numerodetelephone yourphone"
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
        "datenschutz aceito acepto consentement consentimento agree terms optin"
    ),
}
_MEANING = {name: meaning for meaning, names in _NAMES.items() for name in names.split()}
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
    plain = unicodedata.normalize("NFKD", (part[1] if part else name).lower())
    return _MEANING.get(re.sub(r"[^a-z]", "", plain))
