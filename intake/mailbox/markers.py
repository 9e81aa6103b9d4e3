"""The words by which mail programs mark what is quoted, forwarded or signed, in the languages of our users.

Each is looked for at a fixed place of a line, so that reading takes time in proportion to the text. The
libraries that know such words were measured and left, see docs/decisions.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

#: What stands before the colon of a header that a program repeated inside of a text.
_WORDS = {
    **dict.fromkeys(("from", "de", "von", "da", "van", "från", "差出人", "送信者", "発信者"), "from"),
    **dict.fromkeys(("to", "para", "an", "a", "à", "pour", "aan", "till", "宛先", "受信者"), "to"),
    **dict.fromkeys(("cc", "cópia", "copia", "kopie", "copie", "copie à"), "cc"),
    **dict.fromkeys(("subject", "assunto", "asunto", "betreff", "objet", "sujet", "oggetto"), "subject"),
    **dict.fromkeys(("onderwerp", "ämne", "件名", "題名"), "subject"),
    **dict.fromkeys(("date", "sent", "data", "fecha", "datum", "gesendet", "gesendet am", "enviado"), "date"),
    **dict.fromkeys(("enviado em", "enviada em", "enviada", "enviado el", "envoyé", "envoyé le"), "date"),
    **dict.fromkeys(("inviato", "verzonden", "skickat", "送信日時", "日付", "日時"), "date"),
    **dict.fromkeys(("reply-to", "responder a", "responder para", "antwort an", "répondre à"), "reply-to"),
    **dict.fromkeys(("返信先",), "reply-to"),
    **dict.fromkeys(("importance", "importância", "importancia", "wichtigkeit", "priorität"), "other"),
    **dict.fromkeys(
        ("attachments", "anexos", "anlagen", "pièces jointes", "adjuntos", "添付ファイル"), "other"
    ),
}
_HEADER = re.compile(r"[\s>*_]*([^:：*]{1,24}?)[\s*_]*[:：][\s*_]*(.*)", re.DOTALL)

#: Lines, without what frames them, behind which a forwarded mail begins.
_FORWARDS = frozenset(
    {
        *("forwarded message", "begin forwarded message", "forwarded mail", "fwd"),
        *("mensagem encaminhada", "mensagem reencaminhada", "início da mensagem encaminhada"),
        *("início da mensagem reencaminhada", "mensaje reenviado", "inicio del mensaje reenviado"),
        *("mensaje reenviado por", "weitergeleitete nachricht", "anfang der weitergeleiteten nachricht"),
        *("anfang der weitergeleiteten e-mail", "weitergeleitete e-mail", "message transféré"),
        *("début du message réexpédié", "début du message transféré", "message transmis"),
        *("転送メッセージ", "転送されたメッセージ", "転送されたメッセージの始まり", "forwarded by"),
    }
)
#: The same for a mail that is answered; Outlook also writes it above what it forwards.
_ORIGINALS = frozenset(
    {
        *("original message", "original mail", "mensagem original", "mensaje original"),
        *("ursprüngliche nachricht", "originalnachricht", "original-nachricht", "message d'origine"),
        *("message d’origine", "message original", "元のメッセージ", "original appointment"),
        *("messaggio originale", "oorspronkelijk bericht"),
    }
)
#: Subjects of what somebody passes on.
_PASSED_ON = re.compile(
    r"\s*(?:fwd?|enc|wg|rv|tr|res?env|rnv|i|転送)\s*(?:\[\d{1,3}\])?\s*[:：]", re.IGNORECASE
)
#: How the line above a quote begins, and which of these it holds.
_INTRODUCED = (
    ("on ", ("wrote",)),
    ("am ", ("schrieb",)),
    ("le ", ("a écrit", "a écrit")),
    ("el ", ("escribió", "escribio")),
    ("em ", ("escreveu",)),
    ("a ", ("escreveu", "escribió")),
    ("no dia ", ("escreveu",)),
    ("il ", ("ha scritto",)),
    ("op ", ("schreef",)),
    ("den ", ("skrev",)),
)
_DAYS = ("seg", "ter", "qua", "qui", "sex", "sáb", "dom", "lun", "mar", "mié", "jue", "vie", "mo", "di", "mi")
_YEAR = re.compile(r"\d{4}\s?[年/.-]\s?\d{1,2}")
_MOBILE = (
    *("sent from my ", "get outlook for ", "enviado do meu ", "enviado a partir ", "enviado desde mi "),
    *(
        "enviado del ",
        "obter o outlook ",
        "obtener outlook ",
        "von meinem ",
        "gesendet von ",
        "envoyé de mon ",
    ),
    *("envoyé depuis ", "télécharger outlook ", "holen sie sich outlook ", "outlook für ", "sent from "),
    *(
        "sent with ",
        "enviado via ",
        "enviado pelo ",
        "iphoneから送信",
        "ipadから送信",
        "outlook for ",
        "sent via ",
    ),
)
_GREETINGS = (
    *("best regards", "kind regards", "warm regards", "with kind regards", "regards", "many regards"),
    *("sincerely", "yours sincerely", "yours faithfully", "yours truly", "cheers", "best wishes"),
    *("atenciosamente", "att", "cordialmente", "com os melhores cumprimentos", "melhores cumprimentos"),
    *("cumprimentos", "abraços", "abraço", "um abraço", "saudações", "com os meus cumprimentos"),
    *("saludos", "un saludo", "un cordial saludo", "saludos cordiales", "atentamente", "reciba un cordial"),
    *("mit freundlichen grüßen", "mit freundlichen grüssen", "mit freundlichem gruß", "freundliche grüße"),
    *("viele grüße", "beste grüße", "liebe grüße", "herzliche grüße", "mfg", "vg", "schöne grüße", "gruß"),
    *("mit besten grüßen", "freundliche grüsse", "mit freundlichem gruss", "beste grüsse"),
    *("cordialement", "bien cordialement", "bien à vous", "sincères salutations", "meilleures salutations"),
    *("très cordialement", "salutations distinguées", "cordiales salutations"),
)
_SMALL_PRINT = re.compile(
    r"confiden[ct]i|vertraulich|intended (?:solely |only )?for|unauthori[sz]ed|destinatári|destinatari|"
    r"destinataire|"
    r"empfänger|registered (?:in|office)|amtsgericht|geschäftsführer|handelsregister|sitz der gesellschaft|"
    r"before printing|antes de imprimir|avant d['’]imprimer|機密|宛先",
    re.IGNORECASE,
)
_FRAME = " \t-_=*~>#+━─＝＊－―.:：·"


@dataclass(frozen=True, slots=True)
class Header:
    """One line of a repeated header: `label` is from, to, cc, subject, date, reply-to or other."""

    label: str
    value: str


def header(line: str) -> Header | None:
    """What the line repeats of a mail's header; None where it is none."""
    found = _HEADER.match(line[:1000])
    if found is None:
        return None
    label = _LABELS.get(_folded(found[1]))
    return Header(label, found[2].strip(" *_")) if label else None


def opens_forward(line: str) -> bool:
    """Whether a forwarded mail begins behind it."""
    if len(line) > 120 or not (bare := _folded(line.strip(_FRAME))):
        return False
    return bare in _FORWARDED and (line.strip()[:1] in "-_=*>" or line.rstrip().endswith((":", "：")))


def opens_original(line: str) -> bool:
    """Whether an answered mail begins behind it."""
    if len(line) > 120 or line.strip()[:1] not in ("-", "_", "=", "*", ">"):
        return False
    return _folded(line.strip(_FRAME)) in _ORIGINAL


def passed_on(subject: str) -> bool:
    """Whether the subject says that it was forwarded."""
    return _PASSED_ON.match(subject[:60]) is not None


def introduces(line: str) -> bool:
    """Whether it is the line above a quote: on that day, they wrote."""
    text = line.strip(" \t>*_")[:600]
    if not text.endswith((":", "：")) or len(text) < 12:
        return False
    low = text.lower()
    for begin, words in _INTRODUCED:
        if low.startswith(begin) and any(w in low for w in words) and any(c.isdigit() for c in low):
            return True
    if low.startswith(_DAYS) and any(w in low for w in ("escreveu", "escribió", "schrieb")):
        return True
    if line.lstrip().startswith("* ") and low.endswith("]:"):  # Mutt's
        return "@" in low
    if _YEAR.match(low):
        return "@" in low or any(w in low for w in ("のメール", "書きました", "wrote", "さんは"))
    return ("@" in low or "<" in low) and low[:-1].rstrip().endswith(
        ("wrote", "schrieb", "a écrit", "escribió", "escreveu", "書きました")
    )


def from_mobile(line: str) -> bool:
    """Whether a telephone has put it under the text."""
    low = line.strip(" -_*").lower()
    return len(low) < 120 and (low.startswith(_MOBILE) or low.endswith(("から送信", "からの送信")))


def closes(line: str) -> bool:
    """Whether the text ends here with a greeting."""
    low = _folded(line.strip(" \t*_>"))
    if len(low) > 60:
        return False
    bare = low.rstrip(" ,.!;-–—")
    return bare in _CLOSINGS or any(
        low.startswith(c) and low[len(c) : len(c) + 1] in (",", " /") for c in _CLOSINGS if len(c) > 3
    )


def is_small_print(line: str) -> bool:
    """Whether a firm puts it under all of its mails."""
    return _SMALL_PRINT.search(line[:1000]) is not None


def divides(line: str) -> bool:
    """Whether it is a line drawn across the page."""
    bare = line.strip()
    return len(bare) >= 8 and not bare.strip("-_=*~#+━─＝＊－―☆★◆◇・/／")


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


#: Folded as what is looked for is: 'ß' is 'ss' then.
_CLOSINGS = tuple(_folded(c) for c in _GREETINGS)
_FORWARDED, _ORIGINAL = frozenset(map(_folded, _FORWARDS)), frozenset(map(_folded, _ORIGINALS))
_LABELS = {_folded(label): meaning for label, meaning in _WORDS.items()}
