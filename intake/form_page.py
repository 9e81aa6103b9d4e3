"""Our own pages of a form, and the script that puts it into other people's pages."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Response, jsonify, render_template

from core import clock
from core.settings import settings
from intake.forms import captcha, marks, spam, words
from intake.forms.body import Posted
from intake.forms.settings import FormField, FormSettings, said
from intake.forms.web_form import MARK
from intake.sources import LoadedSource

_WIDGET = Path(__file__).parent / "static" / "widget.js"
# What a form without declared fields asks for on our own page.
_USUAL = (("name", "text"), ("email", "email"), ("phone", "phone"), ("message", "textarea"))
_SCRIPTS = {
    "turnstile": "https://challenges.cloudflare.com",
    "hcaptcha": "https://js.hcaptcha.com https://*.hcaptcha.com",
    "recaptcha": "https://www.google.com https://www.gstatic.com",
}


def language_of(wanted: Iterable[str], locale: str) -> str:
    """The language of a page: the first wanted that we speak, else the workspace's."""
    return words.spoken([*wanted, locale])


def form_page(
    source: LoadedSource,
    form: FormSettings,
    language: str,
    *,
    posted: Posted | None = None,
    mistakes: Mapping[str, str] | None = None,
) -> Response:
    """The form; with what was posted and what is wrong with it, where that has to be mended (422)."""
    values = {name: list(given) for name, given in posted.values.items()} if posted else {}
    content = render_template(
        "form.html",
        title=said(form.title, language) or source.name or words.say("contact", language),
        intro=said(form.intro, language),
        button=said(form.button, language) or words.say("send", language),
        fields=fields_of(form, language),
        values=values,
        mistakes=mistakes or {},
        say=words.all_of(language),
        language=language,
        mark_name=MARK,
        mark=marks.mark(settings().key(), form.key, clock.now()),
        honeypot=spam.HONEYPOT,
        uploads=any(f.type == "file" for f in form.fields),
        captcha=form.protection.captcha,
        captcha_script=captcha.SCRIPTS.get(form.protection.captcha.kind, ("", ""))[1]
        if form.protection.captcha
        else "",
        captcha_field=captcha.FIELDS[form.protection.captcha.kind] if form.protection.captcha else "",
        start=f"{settings().address}/in/forms/{form.key}/start",
    )
    answer = Response(content, 422 if mistakes else 200, mimetype="text/html")
    kind = form.protection.captcha.kind if form.protection.captcha else ""
    others = _SCRIPTS.get(kind, "")
    frames = others or "'none'"
    answer.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'self'; script-src 'self' {others}; frame-src {frames}; "
        f"connect-src 'self' {others}; base-uri 'none'; form-action *"
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer


def thanks_page(
    source: LoadedSource, form: FormSettings, language: str, *, confirm: bool = False
) -> Response:
    """What a browser is shown afterwards; with `confirm`, that a link in a mail has to be followed."""
    text = _thanks(form, language, confirm=confirm)
    content = render_template(
        "thanks.html", title=words.say("thanks", language), text=text, language=language
    )
    return Response(content, mimetype="text/html")


def fields_of(form: FormSettings, language: str) -> list[dict[str, Any]]:
    """The fields as a page shows them; of a form that declares none, those that people expect."""
    declared = form.fields or [FormField(name=name, type=kind) for name, kind in _USUAL]
    return [
        {
            "name": f.name,
            "type": f.type,
            "label": f.shown(language) if form.fields else words.say(f.name, language),
            "help": said(f.help, language),
            "required": f.required and f.type != "consent",
            "maxlength": f.max_length if f.type in ("text", "textarea", "email", "phone") else None,
            "choices": f.choices,
            "accept": ",".join(a if "/" in a else f".{a.lstrip('.')}" for a in f.accept),
            "autocomplete": _AUTOCOMPLETE.get(f.goes_to if f.type != "consent" else "", ""),
        }
        for f in declared
    ]


# What the widget says by itself.
_SAID = ("choose", "close", "leave_empty", "look_again", "not_sent", "sending", "thanks", "waiting")
_AUTOCOMPLETE = {
    "name": "name",
    "first_name": "given-name",
    "last_name": "family-name",
    "email": "email",
    "phone": "tel",
    "company": "organization",
}


def start(form: FormSettings) -> Response:
    """Our mark, and a riddle where the form asks for a proof of work."""
    key = settings().key()
    told: dict[str, Any] = {MARK: marks.mark(key, form.key, clock.now())}
    if form.protection.captcha is not None and form.protection.captcha.kind == "altcha":
        told["altcha"] = captcha.challenge(
            form.protection.captcha, marks.proof_key(key, form.key), clock.now()
        )
    answer = jsonify(told)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def widget(source: LoadedSource, form: FormSettings, language: str) -> Response:
    """The script, which brings the form's own description along."""
    described = {
        "key": form.key,
        "address": f"{settings().address}/in/forms/{form.key}",
        "language": language,
        "title": said(form.title, language) or source.name or words.say("contact", language),
        "intro": said(form.intro, language),
        "button": said(form.button, language) or words.say("send", language),
        "thanks": _thanks(form, language, confirm=form.protection.confirm_email),
        "redirect": form.redirect,
        "fields": fields_of(form, language),
        "say": {word: words.say(word, language) for word in _SAID},
        "honeypot": spam.HONEYPOT,
        "mark": MARK,
        "captcha": _captcha(form),
    }
    # Inside a script nothing may end it: `</` and the line separators of JavaScript are written out.
    data = json.dumps(described, ensure_ascii=True).replace("</", "<\\/")
    content = _script().replace("/*FORM*/ null", data, 1)
    answer = Response(content, mimetype="text/javascript")
    answer.headers["Cache-Control"] = "public, max-age=60"
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return answer


@lru_cache(maxsize=1)
def _script() -> str:
    """The widget without its indentation, which nobody's telephone has to load."""
    return "\n".join(line.strip() for line in _WIDGET.read_text(encoding="utf-8").splitlines())


def _thanks(form: FormSettings, language: str, *, confirm: bool) -> str:
    text = said(form.thanks, language) or words.say("received", language)
    return f"{text} {words.say('confirm_sent', language)}" if confirm else text


def _captcha(form: FormSettings) -> dict[str, str] | None:
    """The service that the widget loads; ALTCHA's riddle comes with its start."""
    wanted = form.protection.captcha
    if wanted is None or wanted.kind == "altcha":
        return None
    api, script = captcha.SCRIPTS[wanted.kind]
    field = captcha.FIELDS[wanted.kind]
    return {"api": api, "script": script, "field": field, "site_key": wanted.site_key}


def snippet(key: str) -> str:
    """What to copy into a page to have the form there."""
    address = f"{settings().address}/in/forms/{key}/widget.js"
    return f'<script src="{address}" async></script>'
