"""What our own form pages say, in five languages."""

from __future__ import annotations

from collections.abc import Iterable

LANGUAGES = ("en", "pt", "es", "de", "fr")
_WORDS = {
    "contact": ("Contact", "Contacto", "Contacto", "Kontakt", "Contact"),
    "name": ("Name", "Nome", "Nombre", "Name", "Nom"),
    "email": ("E-mail", "E-mail", "Correo electrónico", "E-Mail", "E-mail"),
    "phone": ("Telephone", "Telefone", "Teléfono", "Telefon", "Téléphone"),
    "message": ("Message", "Mensagem", "Mensaje", "Nachricht", "Message"),
    "send": ("Send", "Enviar", "Enviar", "Senden", "Envoyer"),
    "sending": ("Sending …", "A enviar …", "Enviando …", "Wird gesendet …", "Envoi …"),
    "choose": ("Please choose", "Escolha", "Elija", "Bitte wählen", "Veuillez choisir"),
    "close": ("Close", "Fechar", "Cerrar", "Schließen", "Fermer"),
    "leave_empty": (
        "Please leave this field empty",
        "Deixe este campo vazio",
        "Deje este campo vacío",
        "Bitte dieses Feld leer lassen",
        "Laissez ce champ vide",
    ),
    "look_again": (
        "Please look at the marked fields again.",
        "Verifique os campos assinalados.",
        "Revise los campos marcados.",
        "Bitte prüfen Sie die markierten Felder.",
        "Veuillez vérifier les champs signalés.",
    ),
    "thanks": ("Thank you", "Obrigado", "Gracias", "Vielen Dank", "Merci"),
    "received": (
        "We have received your message and will be in touch soon.",
        "Recebemos a sua mensagem e entraremos em contacto em breve.",
        "Hemos recibido su mensaje y le contactaremos pronto.",
        "Wir haben Ihre Nachricht erhalten und melden uns bald.",
        "Nous avons bien reçu votre message et vous répondrons bientôt.",
    ),
    "waiting": (
        "No connection. We will send it as soon as there is one.",
        "Sem ligação. Enviaremos assim que houver.",
        "Sin conexión. Lo enviaremos en cuanto la haya.",
        "Keine Verbindung. Wir senden, sobald es wieder geht.",
        "Pas de connexion. L'envoi se fera dès que possible.",
    ),
    "not_sent": (
        "It could not be sent. Please try again.",
        "Não foi possível enviar. Tente novamente.",
        "No se pudo enviar. Inténtelo de nuevo.",
        "Das konnte nicht gesendet werden. Bitte versuchen Sie es erneut.",
        "L'envoi a échoué. Veuillez réessayer.",
    ),
    "required": (
        "Please fill in this field.",
        "Preencha este campo.",
        "Rellene este campo.",
        "Bitte füllen Sie dieses Feld aus.",
        "Veuillez remplir ce champ.",
    ),
    "too_long": (
        "Please enter at most {} characters.",
        "Escreva no máximo {} caracteres.",
        "Escriba como máximo {} caracteres.",
        "Bitte höchstens {} Zeichen eingeben.",
        "Veuillez saisir au plus {} caractères.",
    ),
    "too_short": (
        "Please enter at least {} characters.",
        "Escreva pelo menos {} caracteres.",
        "Escriba al menos {} caracteres.",
        "Bitte mindestens {} Zeichen eingeben.",
        "Veuillez saisir au moins {} caractères.",
    ),
    "wrong_email": (
        "Please enter an e-mail address, such as name@example.com.",
        "Indique um endereço de e-mail, como nome@exemplo.com.",
        "Indique un correo electrónico, como nombre@ejemplo.com.",
        "Bitte geben Sie eine E-Mail-Adresse an, etwa name@beispiel.de.",
        "Veuillez indiquer une adresse e-mail, par exemple nom@exemple.fr.",
    ),
    "wrong_phone": (
        "Please enter a telephone number.",
        "Indique um número de telefone.",
        "Indique un número de teléfono.",
        "Bitte geben Sie eine Telefonnummer an.",
        "Veuillez indiquer un numéro de téléphone.",
    ),
    "wrong_number": (
        "Please enter a number.",
        "Indique um número.",
        "Indique un número.",
        "Bitte geben Sie eine Zahl an.",
        "Veuillez indiquer un nombre.",
    ),
    "wrong_date": (
        "Please enter a date, such as 2026-12-31.",
        "Indique uma data, como 2026-12-31.",
        "Indique una fecha, como 2026-12-31.",
        "Bitte geben Sie ein Datum an, etwa 2026-12-31.",
        "Veuillez indiquer une date, par exemple 2026-12-31.",
    ),
    "wrong_choice": (
        "Please choose one of the given answers.",
        "Escolha uma das respostas dadas.",
        "Elija una de las respuestas dadas.",
        "Bitte wählen Sie eine der Antworten.",
        "Veuillez choisir une des réponses proposées.",
    ),
    "wrong_pattern": (
        "Please check what you have entered.",
        "Verifique o que escreveu.",
        "Revise lo que ha escrito.",
        "Bitte prüfen Sie Ihre Eingabe.",
        "Veuillez vérifier votre saisie.",
    ),
    "file_too_large": (
        "The file is too large: at most {}.",
        "O ficheiro é demasiado grande: no máximo {}.",
        "El archivo es demasiado grande: como máximo {}.",
        "Die Datei ist zu groß: höchstens {}.",
        "Le fichier est trop volumineux : au plus {}.",
    ),
    "wrong_file": (
        "Files of this kind are not taken.",
        "Este tipo de ficheiro não é aceite.",
        "Este tipo de archivo no se acepta.",
        "Dateien dieser Art werden nicht angenommen.",
        "Ce type de fichier n'est pas accepté.",
    ),
    "confirm": (
        "Please confirm your enquiry",
        "Confirme o seu pedido",
        "Confirme su consulta",
        "Bitte bestätigen Sie Ihre Anfrage",
        "Veuillez confirmer votre demande",
    ),
    "confirm_button": ("Confirm", "Confirmar", "Confirmar", "Bestätigen", "Confirmer"),
    "confirm_mail": (
        (
            "Hello,\n\nsomebody has sent {} an enquiry with this address. Was it you? Then please confirm it"
            " here:\n\n{}\n\nIf it was not you, there is nothing to do.\n"
        ),
        (
            "Olá,\n\nalguém enviou a {} um pedido com este endereço. Foi você? Então confirme-o aqui:"
            "\n\n{}\n\nSe não foi, não tem de fazer nada.\n"
        ),
        (
            "Hola:\n\nAlguien ha enviado a {} una consulta con esta dirección. ¿Ha sido usted? Confírmela"
            " aquí:\n\n{}\n\nSi no ha sido usted, no tiene que hacer nada.\n"
        ),
        (
            "Guten Tag,\n\njemand hat mit dieser Adresse eine Anfrage an {} gesandt. Waren Sie es? Dann"
            " bestätigen Sie sie bitte hier:\n\n{}\n\nWaren Sie es nicht, brauchen Sie nichts zu tun.\n"
        ),
        (
            "Bonjour,\n\nquelqu'un a envoyé une demande à {} avec cette adresse. Est-ce vous ? Alors"
            " confirmez-la ici :\n\n{}\n\nSinon, vous n'avez rien à faire.\n"
        ),
    ),
    "unsubscribe": ("Unsubscribe", "Cancelar subscrição", "Darse de baja", "Abmelden", "Se désabonner"),
    "unsubscribe_ask": (
        "{} receives no more automatic mail from us. Mail from our staff still arrives.",
        "{} deixa de receber os nossos e-mails automáticos. Os da nossa equipa continuam a chegar.",
        "{} dejará de recibir nuestros correos automáticos. Los de nuestro equipo seguirán llegando.",
        "{} erhält keine automatischen E-Mails mehr von uns. Die unserer Mitarbeiter kommen weiterhin an.",
        "{} ne recevra plus nos e-mails automatiques. Ceux de notre équipe arrivent toujours.",
    ),
    "unsubscribed": ("Unsubscribed", "Subscrição cancelada", "Baja realizada", "Abgemeldet", "Désabonné"),
    "confirm_sent": (
        "Please confirm it with the link that we have sent you by e-mail.",
        "Confirme-o com a ligação que lhe enviámos por e-mail.",
        "Confírmela con el enlace que le hemos enviado por correo electrónico.",
        "Bitte bestätigen Sie sie mit dem Link, den wir Ihnen per E-Mail gesandt haben.",
        "Veuillez la confirmer avec le lien que nous vous avons envoyé par e-mail.",
    ),
}


def say(word: str, language: str, *values: object) -> str:
    """The phrase in that language, English where we do not speak it."""
    at = LANGUAGES.index(language[:2]) if language[:2] in LANGUAGES else 0
    return _WORDS[word][at].format(*values)


def all_of(language: str) -> dict[str, str]:
    """All phrases, those with a gap in them included."""
    at = LANGUAGES.index(language[:2]) if language[:2] in LANGUAGES else 0
    return {word: phrases[at] for word, phrases in _WORDS.items()}


def spoken(wanted: Iterable[str]) -> str:
    """The first of these languages, best first, that we speak; English where we speak none."""
    return next((w[:2].lower() for w in wanted if w[:2].lower() in LANGUAGES), "en")
