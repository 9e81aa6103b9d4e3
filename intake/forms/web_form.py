"""The plain web form: posted by a browser, a script or a form builder."""

from __future__ import annotations

import json
from typing import Any, ClassVar
from urllib.parse import urlsplit

from core.errors import Quarantined, Refused
from crm.submission import Submission
from intake.adapter import Adapter
from intake.delivery import RELEASED, Delivery
from intake.errand import LOOKED_UP, Errand
from intake.forms import captcha, spam
from intake.forms.answers import Answers
from intake.forms.body import CONTENT_TYPES, Posted, read, understood
from intake.forms.interpret import interpret
from intake.forms.settings import FormSettings
from models.source import Channel

#: The same content from the same form within this time is one submission: a double click, a retry.
WINDOW_SECONDS = 600
# A captcha's answer is good for minutes: so often its service is asked.
_PATIENCE = 3
#: Fields that belong to the page and not to the visitor.
MARK = "_mark"
REDIRECT = "redirect"
#: Fields of ours in a post, which say nothing of the enquiry.
OURS = frozenset({MARK, spam.HONEYPOT, *captcha.FIELDS.values()})


class WebForm(Adapter[FormSettings]):
    """Declared fields are checked at the door, before anything is journalled."""

    name = "form"
    channel = Channel.FORM
    settings = FormSettings
    content_types: ClassVar[tuple[str, ...]] = CONTENT_TYPES

    def verify(self, delivery: Delivery, settings: FormSettings) -> None:
        """Raises Refused for a script on a site that may not post here."""
        origin = delivery.headers.get("origin")
        script = not delivery.headers.get("accept", "").startswith("text/html")
        if origin and script and settings.allowed_origins and origin not in settings.allowed_origins:
            own = urlsplit(delivery.url)
            if origin != f"{own.scheme}://{own.netloc}":
                raise Refused("this site may not post to this form", status=403, reason="foreign_origin")

    def keys(self, delivery: Delivery, posted: Posted) -> tuple[str, str | None]:
        """The key of this submission, and the one it may stand under already."""
        told = delivery.headers.get("idempotency-key")
        if told:
            return f"told:{told}"[:200], None
        window = int(delivery.received_at.timestamp()) // WINDOW_SECONDS
        content = posted.without(OURS).fingerprint()
        return f"content:{window}:{content}", f"content:{window - 1}:{content}"

    def errand(self, delivery: Delivery, settings: FormSettings) -> Errand | None:
        """A captcha's answer is asked for; where its service stays away, the enquiry goes to quarantine."""
        wanted = settings.protection.captcha
        if wanted is None or LOOKED_UP in delivery.facts or delivery.facts.get(RELEASED):
            return None
        try:
            token = read(delivery.body, delivery.content_type).first(captcha.FIELDS[wanted.kind])
        except Refused:
            return None
        lookup = captcha.lookup(wanted, str(token), delivery.remote_address) if token else None
        return Errand(lookup, patience=_PATIENCE, can_do_without=True) if lookup is not None else None

    def parse(self, delivery: Delivery, settings: FormSettings) -> Submission:
        """What was posted, as a submission; quarantined where it looks like spam."""
        posted = understood(delivery.body, delivery.content_type)
        answers = Answers.of(posted, document=_document(delivery, settings))
        visible = Answers.of(posted, without=_hidden(settings), document=answers.document)
        submission = interpret(visible, settings, delivery)
        facts = {spam.CAPTCHA: _captcha(delivery, settings)} | dict(delivery.facts)
        if found := spam.reasons(answers, submission, settings, facts):
            raise Quarantined("; ".join(found), submission)
        return submission


def _captcha(delivery: Delivery, settings: FormSettings) -> str | None:
    """Why the captcha speaks against it; what ALTCHA says the door has found out."""
    wanted = settings.protection.captcha
    if wanted is None or wanted.kind == "altcha":
        return None
    answer = delivery.facts.get(LOOKED_UP)
    if not isinstance(answer, dict):
        return f"no answer of {wanted.kind} came with it"
    if "unanswered" in answer:
        return f"{wanted.kind} could not be asked: {answer['unanswered']}"
    return captcha.against(wanted, answer)


def _hidden(settings: FormSettings) -> frozenset[str]:
    """Fields that say nothing of the enquiry: ours, and our page's redirect unless the form asks for one."""
    hidden = OURS | set(settings.protection.honeypots)
    if settings.allowed_redirects:
        hidden |= {REDIRECT, "_next"}
    return hidden - {f.name for f in settings.fields}


def _document(delivery: Delivery, settings: FormSettings) -> Any:
    if not any(path.startswith("$") for path in settings.mapping):
        return None
    try:
        return json.loads(delivery.body)
    except (ValueError, RecursionError):
        return None
