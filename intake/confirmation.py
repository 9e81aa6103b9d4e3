"""Double opt-in: an enquiry waits in quarantine until its sender has confirmed the address it names.

Nothing is thrown away meanwhile: a person can release it as anything else that is quarantined.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from datetime import timedelta

from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from core.errors import Quarantined
from core.ids import digest
from core.settings import settings as environment
from crm.contact_points import email_address
from crm.submission import Submission
from crm.workspace import WorkspaceSettings
from intake import rates
from intake.delivery import RELEASED, Delivery
from intake.errand import ASKED, TRIES, Errand, Needed
from intake.forms import words
from intake.forms.settings import FormSettings
from rules.order import MailOrder

#: The fact of when, and from which network address, the sender has confirmed.
CONFIRMED = "confirmed"
#: So long the link in the mail is good.
LONGEST = timedelta(days=7)
# Nobody's mailbox is flooded through a form of ours.
_MOST = "3 per day"


def settled(
    event_id: str, delivery: Delivery, submission: Submission, settings: object, here: WorkspaceSettings
) -> Submission:
    """The submission, with its confirmation where there is one.

    Raises Needed where its sender has to be asked first, Quarantined while they have not answered.
    """
    if confirmed := delivery.facts.get(CONFIRMED):
        return replace(submission, extra={**submission.extra, "email_confirmed": str(confirmed)})
    if (
        not isinstance(settings, FormSettings)
        or not settings.protection.confirm_email
        or delivery.facts.get(RELEASED)
    ):
        return submission
    if (outcome := delivery.facts.get(ASKED)) is not None:
        raise Quarantined(str(outcome), submission)
    to = next((found for given in submission.emails if (found := email_address(given))), None)
    if to is None:
        raise Quarantined("it names no e-mail address that could be confirmed", submission)
    if not delivery.facts.get(TRIES) and (rate := rates.exceeded(_MOST, "confirm", digest(to.casefold()))):
        raise Quarantined(f"{to} was asked to confirm more than {rate}", submission)
    language = words.spoken([settings.language, *_preferred(delivery), here.locale])
    mail = MailOrder(
        to=to,
        subject=words.say("confirm", language),
        text=words.say("confirm_mail", language, here.name, link(settings.key, event_id)),
        message_id=f"confirm:{event_id}",
    )
    raise Needed(Errand(mail=mail, can_do_without=True))


def link(form: str, event_id: str) -> str:
    """The address with which this enquiry is confirmed."""
    return f"{environment().address}/in/forms/{form}/confirm/{event_id}/{token(form, event_id)}"


def token(form: str, event_id: str) -> str:
    """What only we and the reader of the mail know."""
    told = f"confirm:{form}:{event_id}".encode()
    return hmac.new(environment().key(), told, hashlib.sha256).hexdigest()[:40]


def _preferred(delivery: Delivery) -> list[str]:
    told = delivery.headers.get("accept-language", "")
    return list(parse_accept_header(told, LanguageAccept).values())
