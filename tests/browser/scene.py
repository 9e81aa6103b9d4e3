"""A morning at Acme: the leads that the pictures show."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from models import ActivityState, CallResult, Lead, LeadStatus
from models.recording import Recording, RecordingState
from tests.console import seed

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
_LETTER = """Good morning,

we are a chain of eleven pharmacies in the state of São Paulo and look for somebody who takes over our \
telephone system, with about 450 people. What matters to us:

 - one number for all shops, with opening hours for each
 - a list of the calls nobody answered, every evening
 - reports that our managers understand
 - moving over shop by shop, not all at once

Could you call me this week, best in the morning? Please also say what you need to know from us for a \
first estimate, and whether you have done this for a company of our size before.

Kind regards
Maria Souza
Operations, Farmácias Boa Vista"""


def populate(session: Session) -> int:
    """Sixty leads; says which one has the whole story."""
    people = seed.workspace(session)
    ana, bruno = people["ana"].id, people["bruno"].id
    _earlier(session, ana, bruno)
    _today(session, ana, bruno)
    return _maria(session, ana).id


def _earlier(session: Session, ana: int, bruno: int) -> None:
    firsts = ("Luísa", "João", "Inês", "Rafael", "Teresa", "Otávio", "Beatriz", "Caio")
    lasts = ("Almeida", "Barros", "Cardoso", "Duarte", "Esteves", "Figueira", "Guedes")
    states = (LeadStatus.CONVERTED, LeadStatus.IN_PROGRESS, LeadStatus.JUNK, LeadStatus.IN_PROGRESS)
    for n in range(53):
        name = f"{firsts[n % 8]} {lasts[n % 7]}"
        made = seed.lead(
            session,
            source_id=1 + n % 2,
            ago=(53 - n) * 9 * HOUR + DAY,
            name=name,
            email=f"{n}@client.test",
            owner_id=(ana, bruno)[n % 2],
            status=states[n % 4],
        )
        if made.status is LeadStatus.IN_PROGRESS:
            seed.activity(session, made, due=(n - 40) * 3 * HOUR)


def _today(session: Session, ana: int, bruno: int) -> None:
    rows: tuple[tuple[int, timedelta, timedelta | None, dict[str, Any]], ...] = (
        (2, 5 * HOUR, -HOUR, {"name": "Pedro Alves", "email": "pedro@alves.test", "owner_id": bruno,
            "status": LeadStatus.IN_PROGRESS, "title": "Offer for 20 seats"}),
        (1, 3 * HOUR, -20 * MINUTE, {"name": "Sofia Prado", "email": "sofia@prado.test", "owner_id": ana,
            "company": "Prado Arquitetos"}),
        (3, 2 * HOUR, 10 * MINUTE, {"name": "", "phone": "+5511987654321", "owner_id": ana,
            "title": "Missed call from +5511987654321"}),
        (2, HOUR, None, {"name": "", "email": "compras@industria-metalurgica-do-vale.test",
            "title": "Pedido de cotação 2026/1187 – sistema de atendimento, 3 unidades, urgente"}),
        (1, 50 * MINUTE, DAY, {"name": "Henrique Tavares", "email": "h@tavares.test", "owner_id": bruno}),
    )  # fmt: skip
    for source_id, ago, due, values in rows:
        made = seed.lead(session, source_id=source_id, ago=ago, **values)
        if due is not None:
            seed.activity(session, made, due=due)


def _maria(session: Session, ana: int) -> Lead:
    fields = {"employees": 450, "region": "São Paulo"}
    attribution = {"utm_source": "google", "utm_campaign": "pharmacies-2026", "gclid": "Cj0KCQiA-example"}
    lead = seed.lead(
        session,
        ago=40 * MINUTE,
        name="Maria Souza",
        email="maria@boavista.test",
        phone="+5511987650000",
        company="Farmácias Boa Vista",
        message=_LETTER,
        owner_id=ana,
        score=35,
        tags=["enterprise", "pharmacy"],
        fields=fields,
        attribution=attribution,
        status=LeadStatus.NEW,
    )
    rule = {"actor": "rule:Enterprise enquiries"}
    sent: dict[str, Any] = {
        "source": "contact",
        "channel": "form",
        "name": "Maria Souza",
        "emails": ["maria@boavista.test"],
        "phones": ["11 98765-0000"],
        "company": "Farmácias Boa Vista",
        "message": _LETTER,
        "fields": fields,
        "extra": {"page": "/telephone-systems", "newsletter": True},
        "attribution": attribution,
        "consent": True,
    }
    call = seed.call(
        session,
        lead,
        result=CallResult.MISSED,
        transcript="Hello, this is Maria. Please call me back about the offer.",
    )
    session.add(
        Recording(
            call_id=call.id,
            said="r1",
            state=RecordingState.KEPT,
            place="recordings/1/1",
            kind="audio/mpeg",
            created_at=seed.NOW,
        )
    )
    mail = {
        "subject": "Thank you, Maria Souza",
        "to": "maria@boavista.test",
        "text": "Hello Maria Souza,\n\nwe have your message and will call you shortly.\n\nAcme",
    }
    seed.entry(session, lead, "submission", "Form: Website contact", data=sent)
    seed.entry(session, lead, "tagged", "Tag added: enterprise", data={"tag": "enterprise"}, **rule)
    seed.entry(session, lead, "assigned", "Assigned to Ana Lima: named by the rule", **rule)
    seed.entry(session, lead, "activity_planned", "Call planned: Call Maria Souza (enterprise)", **rule)
    follow = {"actor": "rule:Answer and follow up", "data": mail}
    seed.entry(session, lead, "mail_sent", "Sent to maria@boavista.test", after=MINUTE, **follow)
    trouble = "Notify crm.acme.test: the address does not answer"
    seed.entry(session, lead, "step_failed", trouble, after=3 * MINUTE, actor="rule:Tell the old system")
    seed.entry(
        session, lead, "call", "Call missed: +5511987650000", after=21 * MINUTE, data={"call": call.id}
    )
    seed.entry(session, lead, "comment", "She prefers mornings.", after=30 * MINUTE, actor=f"user:{ana}",
               data={"text": "She prefers mornings.\nNot on Fridays."})  # fmt: skip
    seed.activity(session, lead, due=-25 * MINUTE, subject="Call Maria Souza (enterprise)", urgency=1)
    seed.activity(session, lead, due=DAY, type="email", subject="Send the first estimate")
    done = {"state": ActivityState.DONE, "done_at": seed.NOW - 20 * MINUTE, "outcome": "eleven shops"}
    seed.activity(session, lead, due=-30 * MINUTE, type="task", subject="Look up the company", **done)
    seed.traced(session, lead)
    return lead
