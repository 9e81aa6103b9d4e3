"""The line under marketing mail with which its reader ends it. Pure."""

from __future__ import annotations

from html import escape

from crm.language import nearest
from crm.messages import Letter

_WORDS = {
    "en": "You no longer want such mails? Unsubscribe:",
    "pt": "Não quer mais receber estes e-mails? Cancele aqui:",
    "es": "¿Ya no desea recibir estos correos? Darse de baja:",
    "de": "Sie möchten solche E-Mails nicht mehr erhalten? Abmelden:",
    "fr": "Vous ne souhaitez plus recevoir ces e-mails ? Se désabonner :",
    "ja": "このようなメールの配信停止はこちら:",
}


def added(letter: Letter, link: str, language: str) -> Letter:
    """The letter with the line at its end."""
    words = _WORDS[nearest(language, _WORDS) or "en"]
    line = f'<p style="font-size:small">{escape(words)} <a href="{escape(link)}">{escape(link)}</a></p>'
    before, end, after = letter.html.rpartition("</body>")
    html = f"{before}{line}{end}{after}" if end else letter.html + line
    return Letter(
        letter.subject, f"{letter.text.rstrip()}\n\n-- \n{words}\n{link}\n", html if letter.html else ""
    )
