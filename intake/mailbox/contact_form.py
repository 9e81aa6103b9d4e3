"""Mails by which a website's contact form tells of an enquiry, recognised by the labels that forms use.

For what no mapping of the workspace names: the plug-ins of the usual site builders write one line a field.
"""

from __future__ import annotations

from intake.mailbox import addresses
from intake.mailbox.message import MailMessage
from intake.mailbox.notifications import labelled

_WORDS = {
    "name": (
        *(
            "name",
            "your name",
            "full name",
            "contact name",
            "customer name",
            "nome",
            "seu nome",
            "nome completo",
        ),
        *("nome e sobrenome", "nombre", "tu nombre", "su nombre", "nombre completo", "nombre y apellidos"),
        *(
            "ihr name",
            "vollständiger name",
            "vor- und nachname",
            "name, vorname",
            "nom",
            "votre nom",
            "nom complet",
        ),
        *("nom et prénom", "お名前", "氏名", "名前", "ご氏名", "ご担当者名"),
    ),
    "first_name": ("first name", "vorname", "prénom", "primeiro nome"),
    "last_name": ("last name", "surname", "nachname", "sobrenome", "apellidos", "apellido", "nom de famille"),
    "email": (
        *(
            "email",
            "e-mail",
            "mail",
            "email address",
            "e-mail address",
            "your email",
            "your e-mail",
            "reply to",
        ),
        *(
            "seu e-mail",
            "seu email",
            "endereço de e-mail",
            "correo",
            "correo electrónico",
            "tu correo",
            "tu email",
        ),
        *("su correo electrónico", "e-mail-adresse", "ihre e-mail", "ihre e-mail-adresse", "email-adresse"),
        *(
            "adresse e-mail",
            "adresse mail",
            "courriel",
            "votre email",
            "votre e-mail",
            "メールアドレス",
            "メール",
            "eメール",
        ),
    ),
    "phone": (
        *("phone", "telephone", "tel", "phone number", "your phone", "mobile", "cell", "telefone", "celular"),
        *(
            "whatsapp",
            "telefone/whatsapp",
            "seu telefone",
            "telemóvel",
            "teléfono",
            "móvil",
            "número de teléfono",
        ),
        *("tu teléfono", "telefon", "telefonnummer", "handy", "mobil", "ihre telefonnummer", "rufnummer"),
        *(
            "téléphone",
            "tél",
            "numéro de téléphone",
            "votre téléphone",
            "portable",
            "電話番号",
            "電話",
            "お電話番号",
            "ご連絡先",
        ),
    ),
    "company": (
        *(
            "company",
            "company name",
            "organisation",
            "organization",
            "business name",
            "empresa",
            "nome da empresa",
        ),
        *(
            "firma",
            "unternehmen",
            "société",
            "entreprise",
            "nom de la société",
            "会社名",
            "御社名",
            "貴社名",
            "法人名",
        ),
    ),
    "title": ("subject", "assunto", "asunto", "betreff", "objet", "sujet", "件名", "ご用件"),
    "message": (
        *("comment or message", "comentário ou mensagem", "comentario o mensaje", "commentaire ou message"),
        *("kommentar oder nachricht",),
        *("message", "your message", "message body", "comments", "comment", "enquiry", "inquiry", "question"),
        *(
            "mensagem",
            "sua mensagem",
            "comentários",
            "corpo da mensagem",
            "mensaje",
            "tu mensaje",
            "su mensaje",
        ),
        *(
            "comentarios",
            "consulta",
            "nachricht",
            "ihre nachricht",
            "nachrichtentext",
            "mitteilung",
            "anfrage",
        ),
        *(
            "votre message",
            "commentaire",
            "commentaires",
            "お問い合わせ内容",
            "お問合せ内容",
            "内容",
            "メッセージ本文",
        ),
        *("ご質問", "本文", "ご相談内容"),
    ),
}
_LABELS = {label: meaning for meaning, labels in _WORDS.items() for label in labels}
#: Contact Form 7's usual mail begins as if it were one.
_SENDER = ("from", "de", "von", "差出人")


def read(mail: MailMessage) -> dict[str, str] | None:
    """The fields by what they are; None where it is no such mail.

    It names at least an address or a number, and one thing beside.
    """
    found = labelled(mail.text, _LABELS)
    if "email" in found and not addresses.first_in(found["email"]):
        del found["email"]
    # The same label stands above every mail that is quoted.
    if "email" not in found and "message" in found:
        sender = labelled(mail.text, dict.fromkeys(_SENDER, "email"))
        if named := addresses.among([sender.get("email", "")], 1):
            found["email"] = named[0].address
            found.setdefault("name", named[0].name)
    found = {meaning: value for meaning, value in found.items() if value}
    return found if ("email" in found or "phone" in found) and len(found) >= 2 else None
