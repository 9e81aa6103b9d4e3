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
    "source": ("source leadsource origem origemdolead fuente origen quelle leadquelle herkunft provenance"),
    "reason": "reason closingreason junkreason motivo grund motif",
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
# What headers say in files of other things than leads, by what the rows are and what a column becomes.
_OTHERS = {
    "contact": {
        "position": "position jobtitle cargo puesto stelle poste",
        "name": "contact contactname contato",
    },
    "company": {
        "name": "name company companyname account accountname organization empresa firma societe razaosocial",
        "domain": "domain website site web webseite sitioweb dominio",
        "street": "street address endereco direccion strasse adresse rue",
        "city": "city town cidade ciudad stadt ville",
        "region": "region state province estado provincia bundesland",
        "postal_code": "postalcode zip zipcode postcode cep codigopostal plz codepostal",
        "country": "country pais land pays",
    },
    "deal": {
        "title": "title name deal dealname opportunity opportunityname negocio titulo",
        "number": "number dealnumber",
        "pipeline": "pipeline funnel funil",
        "stage": "stage dealstage phase etapa fase etape",
        "amount": "amount value dealvalue valor importe betrag montant",
        "currency": "currency moeda moneda wahrung devise",
        "expected_close": "expectedclose closedate expectedclosedate previsao",
        "reason": "reason closingreason lostreason motivo",
    },
    "product": {
        "name": "name product productname produto producto produkt produit artikel",
        "sku": "sku number productcode code codigo articlenumber artikelnummer reference",
        "section": "section category group categoria secao seccion kategorie categorie",
        "description": "description descricao descripcion beschreibung",
        "unit": "unit unidade unidad einheit unite",
        "price": "price unitprice preco precio preis prix",
        "tax_rate": "tax taxrate vat imposto impuesto steuer mwst tva",
        "active": "active ativo activo aktiv actif",
        "variant_of": "variantof parentsku",
    },
}
_OTHER_HEADERS = {
    what: {word: target for target, words in known.items() for word in words.split()}
    for what, known in _OTHERS.items()
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


def meaning_of(what: str, header: str) -> str | None:
    """What a column with this header becomes where the rows are `what`; None where it says nothing."""
    found = _OTHER_HEADERS.get(what, {}).get(re.sub(r"[^a-z0-9]", "", folded(header)))
    return found or meaning(header)


def status_of(text: str) -> str | None:
    """The status that a word means; None for others."""
    return _STATUS_WORDS.get(re.sub(r"[^a-z]", "", folded(text)))


def folded(text: str) -> str:
    """In small letters, without accents and marks."""
    return unicodedata.normalize("NFKD", text.lower().replace("ß", "ss")).encode("ascii", "ignore").decode()
