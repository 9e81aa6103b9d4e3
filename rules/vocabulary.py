"""What a rule may speak of: triggers, and the fields a condition or template may name. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

#: The types of fields: text, number, flag, moment, texts (a list), any (a custom field).
Fields = Mapping[str, str]

LEAD: Fields = MappingProxyType(
    {
        "id": "number",
        "number": "number",
        "title": "text",
        "status": "text",
        "channel": "text",
        "source": "text",
        "owner": "text",
        "name": "text",
        "email": "text",
        "phone": "text",
        "company": "text",
        "role": "text",
        "message": "text",
        "score": "number",
        "tags": "texts",
        "fields": "any",
        "attribution": "any",
        "consent": "flag",
        "created_at": "moment",
    }
)
CALL: Fields = MappingProxyType(
    {
        "id": "number",
        "line": "text",
        "direction": "text",
        "from": "text",
        "to": "text",
        "result": "text",
        "ring_seconds": "number",
        "talk_seconds": "number",
        "withheld": "flag",
        "transcript": "text",
    }
)
WORKSPACE: Fields = MappingProxyType(
    {"name": "text", "country": "text", "timezone": "text", "currency": "text"}
)
ACTIVITY: Fields = MappingProxyType(
    {
        "id": "number",
        "type": "text",
        "subject": "text",
        "due_at": "moment",
        "owner": "text",
        "outcome": "text",
    }
)
MAIL: Fields = MappingProxyType({"from": "text", "subject": "text", "text": "text", "mailbox": "text"})
DEAL: Fields = MappingProxyType(
    {
        "id": "number",
        "number": "text",
        "title": "text",
        "pipeline": "text",
        "stage": "text",
        "state": "text",
        "amount": "number",
        "currency": "text",
        "probability": "number",
        "owner": "text",
        "closing_reason": "text",
        "tags": "texts",
        "fields": "any",
        "created_at": "moment",
    }
)
CONTACT: Fields = MappingProxyType(
    {
        "id": "number",
        "name": "text",
        "email": "text",
        "phone": "text",
        "position": "text",
        "company": "text",
        "owner": "text",
        "tags": "texts",
        "fields": "any",
        "consent": "flag",
        "created_at": "moment",
    }
)
#: The fields that take only these words.
CHOICES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "lead.status": ("new", "in_progress", "converted", "junk", "merged"),
        "lead.channel": ("form", "email", "call", "import", "api"),
        "event.channel": ("form", "email", "call", "import", "api"),
        "call.direction": ("inbound", "outbound"),
        "call.result": ("answered", "missed", "busy", "failed", "voicemail", "abandoned"),
        "deal.state": ("open", "won", "lost"),
        "activity.type": ("call", "meeting", "task", "email"),
    }
)
#: What `count` can count of a person's past.
COUNTED = (
    "lead.created",
    "form.submitted",
    "email.received",
    "call.answered",
    "call.missed",
    "call.completed",
    "voicemail.received",
)


@dataclass(frozen=True, slots=True)
class References:
    """What a condition may name in its workspace, by key; None: it is not checked."""

    lists: frozenset[str] | None = None
    calendars: frozenset[str] | None = None
    sources: frozenset[str] | None = None
    #: Further words that a field of `CHOICES` may have here.
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


#: The fields of a variable of which nothing is known beforehand: it may be text as well as have any parts.
ANYTHING: Fields = MappingProxyType({"*": "any"})


@dataclass(frozen=True, slots=True)
class Trigger:
    """What a rule may wait for; `fields` are named `event.…` in its condition.

    `about`: what it happens to, one of them each time. `deal`: the lead's event names a deal.
    """

    name: str
    summary: str
    fields: Fields = field(default_factory=dict)
    call: bool = False
    activity: bool = False
    deal: bool = False
    about: tuple[str, ...] = ("lead",)

    @property
    def variables(self) -> dict[str, Fields]:
        """The variables a condition on this trigger may use, each with its fields."""
        found: dict[str, Fields] = {"lead": LEAD, "workspace": WORKSPACE, "event": self.fields}
        if self.call:
            found["call"] = CALL
        if self.activity:
            found["activity"] = ACTIVITY
        if self.deal or "deal" in self.about:
            found["deal"] = DEAL
        if "deal" in self.about or "contact" in self.about:
            found["contact"] = CONTACT
        return found


#: The variables of a condition that is about leads, whatever happens to them.
OF_LEAD: Mapping[str, Fields] = MappingProxyType({"lead": LEAD, "workspace": WORKSPACE, "event": {}})
_MOVE: Fields = MappingProxyType({"before": "text", "reason": "text", "changes": "any"})
_DEAL = ("deal",)
_ANY = ("lead", "deal", "contact")
TRIGGERS = {
    t.name: t
    for t in (
        Trigger("lead.created", "A new lead was made of an enquiry", {"channel": "text"}),
        Trigger("lead.repeat", "A known person enquired again", {"channel": "text"}),
        Trigger("lead.updated", "A field of a lead was changed", {"changes": "any"}),
        Trigger("lead.status_changed", "A lead has another status", {"before": "text", "reason": "text"}),
        Trigger("lead.assigned", "A lead was given to somebody, or to nobody", {"before": "text"}),
        Trigger(
            "lead.converted",
            "A lead became a contact, a company, a deal, or several of them",
            {"contact_id": "number", "company_id": "number", "deal_id": "number"},
            deal=True,
        ),
        Trigger("deal.created", "A deal was made", about=_DEAL),
        Trigger("deal.stage_changed", "A deal is in another stage", _MOVE, about=_DEAL),
        Trigger("deal.won", "A deal was won", _MOVE, about=_DEAL),
        Trigger("deal.lost", "A deal was lost", _MOVE, about=_DEAL),
        Trigger(
            "deal.idle", "Nothing was done about an open deal for a while", {"days": "number"}, about=_DEAL
        ),
        Trigger("lead.unassigned", "Nobody has an open lead after a while", {"minutes": "number"}),
        Trigger("lead.idle", "Nothing was done about an open lead for a while", {"days": "number"}),
        Trigger("lead.merged", "Another lead became part of this one", {"merged": "number"}),
        Trigger("tag.added", "A tag was put on a lead", {"tag": "text"}),
        Trigger("form.submitted", "A form was submitted"),
        Trigger("email.received", "An e-mail was received", MAIL, about=_ANY),
        Trigger(
            "email.replied",
            "Somebody answered an e-mail of ours, or went on with their own",
            MAIL,
            about=_ANY,
        ),
        Trigger(
            "email.sent", "A person of ours wrote an e-mail", {"subject": "text", "to": "text"}, about=_ANY
        ),
        Trigger(
            "email.bounced",
            "An e-mail of ours came back",
            {"to": "text", "subject": "text", "reason": "text", "permanent": "flag"},
            about=_ANY,
        ),
        Trigger(
            "call.started", "A call began; told once, also where its end came first", call=True, about=_ANY
        ),
        Trigger("call.answered", "A call was answered and is over", call=True, about=_ANY),
        Trigger("call.missed", "A call was missed", call=True, about=_ANY),
        Trigger("call.completed", "A call is over, whatever its result", call=True, about=_ANY),
        Trigger("voicemail.received", "A caller has left a message", call=True, about=_ANY),
        Trigger(
            "call.transcribed", "The words of a call or a message are known, at its end or later", call=True
        ),
        Trigger("activity.due", "An activity is due now", activity=True, about=_ANY),
        Trigger("activity.overdue", "An activity was not done in time", activity=True, about=_ANY),
        Trigger("activity.completed", "An activity was done", activity=True, about=_ANY),
        Trigger(
            "sla.warning",
            "A mark of the time to the first answer has passed",
            {"policy": "text", "percent": "number"},
        ),
        Trigger(
            "sla.breached", "The time to the first answer is up", {"policy": "text", "percent": "number"}
        ),
        Trigger(
            "webhook.received",
            "Another program told us something",
            {"source": "text", "type": "text", "body": "any"},
            about=_ANY,
        ),
        Trigger("manual", "Somebody starts the rule on a lead, deal or contact", about=_ANY),
        Trigger("cron", "The time has come that the rule's `at` says; for each open lead", {"at": "text"}),
    )
}


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint such as `; did you mean 'status'?`, empty where nothing is near."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean '{found[0]}'?" if found else ""
