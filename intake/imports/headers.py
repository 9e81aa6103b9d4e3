"""What the headers of exported tables say in five languages, beyond what forms ask for. Pure."""

from __future__ import annotations

import re
import unicodedata

from intake.forms import names

# By what a column becomes; '-' is nothing.
_MORE = {
    "tags": (
        "tags tag labels label categories category etiquetas etiqueta categorias categoria "
        "schlagworte kategorien etiquettes"
    ),
    "status": "status state leadstatus situacao estado etat statut",
    "owner": (
        "owner leadowner assignedto assignee salesrep responsavel proprietario vendedor responsable "
        "propietario zustandig verantwortlich besitzer proprietaire commercial"
    ),
    "score": "score leadscore pontuacao puntuacion punkte",
    "created_at": (
        "createdat created createdate createddate creationdate dateadded criadoem datadecriacao "
        "fechadecreacion creado erstelltam erstellt creele datedecreation"
    ),
    "message": (
        "notes note description observacoes observacao observaciones notas notizen notiz bemerkung "
        "bemerkungen remarques remarque"
    ),
    "phone": (
        "phone1 phone2 phone3 mobilephone businessphone otherphone officephone fone telefone1 "
        "telefone2 telefone3 telefono1 telefono2 telefon1 telefon2"
    ),
    "email": "email1 email2 email3 emailaddress1 emailaddress2 personalemail",
    "-": "id number recordid leadid nr",
}
# Words for a lead's status, by status.
_STATUSES = {
    "new": "new open novo aberto nuevo abierto neu offen nouveau ouvert",
    "in_progress": "inprogress working contacted emandamento encurso inbearbeitung encours",
    "junk": "junk spam disqualified unqualified descartado lixo basura unbrauchbar indesirable",
}
_HEADERS = {name: target for target, words in _MORE.items() for name in words.split()}
_STATUS_WORDS = {word: status for status, words in _STATUSES.items() for word in words.split()}


def meaning(header: str) -> str | None:
    """What a column with this header becomes; None where it says nothing."""
    found = _HEADERS.get(re.sub(r"[^a-z0-9]", "", folded(header))) or names.meaning(header)
    if found is None:
        found = names.question(header)
        return None if found == "message" else found  # 'Details of contract' is none
    return found


def status_of(text: str) -> str | None:
    """The status that a word means; None for others."""
    return _STATUS_WORDS.get(re.sub(r"[^a-z]", "", folded(text)))


def folded(text: str) -> str:
    """In small letters, without accents and marks."""
    return unicodedata.normalize("NFKD", text.lower().replace("ß", "ss")).encode("ascii", "ignore").decode()
