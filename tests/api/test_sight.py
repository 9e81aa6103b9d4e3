"""Own, team, all: what a user's token sees and changes, route by route; scopes, rates, parts, bulk."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from api.auth import create_token
from api.rates import _limiter
from core import clock, db
from core.errors import Invalid
from core.settings import settings
from crm import activities, companies, contacts, deal_templates, deals, duplicate_pairs, merging, timeline
from models.call import Call
from models.contact import Contact
from models.message import Direction, Message, MessageState
from models.rule import RulesetVersion, Run, RunState
from models.user import Role, User
from tests.api.conftest import RULES, Ask
from tests.api.rights import MATRIX
from tests.factories import NOON, WORKSPACE, configure, enquire, source

RIGHTS = "country: BR, rights: {agent: {see: SEE, change: CHANGE}, read-only: {see: SEE}},"
#: Of whom there is an element, and who is in whose team: Ana and Bruno are, Clara is in none.
OWNERS = ("ana", "bruno", "clara", "nobody")
SEEN = {"own": {"ana"}, "team": {"ana", "bruno", "nobody"}, "all": set(OWNERS)}
#: What an element's path is made of.
KINDS = ("leads", "contacts", "companies", "deals")
ELSEWHERE = {"activities", "deal-templates", "calls", "emails", "runs", "timeline", "merges", "duplicates"}
#: Routes by number which belong to no element, or of which there is nothing to see here.
APART = {
    "attachments",
    "recordings",
    "steps",
    "products",
    "product-sections",
    "rulesets",
    "imports",
    "events",
    "webhook-deliveries",
    "calendar-feeds",
    "saved-reports",
    "source-costs",
}


def act(client: FlaskClient, token: str) -> Callable[..., TestResponse]:
    def asked(method: str, path: str, headers: Any = None, **more: Any) -> TestResponse:
        told = {"Authorization": f"Bearer {token}", **(headers or {})}
        return client.open("/api/v1" + path, method=method, headers=told, **more)

    return asked


@pytest.fixture
def things(client: FlaskClient, database: db.Database) -> dict[str, dict[str, int]]:
    """By owner, the number of one of each."""
    configure(
        WORKSPACE.replace(
            "members: [ana@acme.test, bruno@acme.test]", "members: [ana@acme.test, bruno@acme.test]"
        ),
        rules=RULES,
    )
    found: dict[str, dict[str, int]] = {}
    with database.unit_of_work() as session:
        users = {u.name.lower(): u for u in session.scalars(select(User))}
        version = session.scalars(select(RulesetVersion)).first()
        for owner in OWNERS:
            owner_id = users[owner].id if owner in users else None
            lead = enquire(session, emails=(f"{owner}@x.test",), name=owner).lead
            lead.owner_id = owner_id
            lead.owner = users.get(owner)
            contact = contacts.create(
                session, name=f"C {owner}", emails=[f"c-{owner}@x.test"], actor="t", owner_id=owner_id
            )
            company = companies.create(session, name=f"Firm {owner}", actor="t", owner_id=owner_id)
            deal = deals.create(session, title=owner, actor="t", owner_id=owner_id)
            template = deal_templates.create(
                session, deal, rule="FREQ=MONTHLY", first_at=clock.now() + timedelta(days=1), actor="t"
            )
            activity = activities.plan(session, lead, type="task", subject=owner, due_at=NOON, actor="t")
            activity.owner_id = owner_id
            call = Call(
                source_id=source(session).id,
                provider="x",
                group_id=owner,
                provider_call_id=owner,
                heard_at=NOON,
                created_at=NOON,
                lead_id=lead.id,
            )
            mail = Message(
                direction=Direction.IN,
                state=MessageState.RECEIVED,
                effect_key=owner,
                message_id=owner,
                thread=owner,
                created_at=NOON,
                lead_id=lead.id,
            )
            assert version is not None
            run = Run(
                ruleset_version_id=version.id,
                rule="all",
                lead_id=lead.id,
                effect_key=owner,
                depth=0,
                started_at=NOON,
                state=RunState.ACTIVE,
            )
            session.add_all([call, mail, run])
            entry = timeline.record(session, lead, kind="comment", summary=owner)
            other = contacts.create(
                session, name=f"C {owner}", emails=[f"d-{owner}@x.test"], actor="t", owner_id=owner_id
            )
            third = contacts.create(
                session, name=f"Cc {owner}", emails=[f"e-{owner}@x.test"], actor="t", owner_id=owner_id
            )
            session.flush()
            one, two = merging.pair(session, Contact, third.id, other.id)
            made = merging.merge(session, one, two, by="t")
            found[owner] = {
                "leads": lead.id, "contacts": contact.id, "companies": company.id, "deals": deal.id, "activities": activity.id,
                "calls": call.id, "emails": mail.id, "runs": run.id, "timeline": entry.id, "merges": made.id,
                "deal-templates": template.id,
            }  # fmt: skip
        pair = duplicate_pairs.DuplicatePair
        for owner in OWNERS:
            row = pair(
                kind="contact",
                first_id=found[owner]["contacts"],
                second_id=found[owner]["contacts"],
                score=90,
                why="t",
                found_at=NOON,
            )
            session.add(row)
            session.flush()
            found[owner]["duplicates"] = row.id
    return found


def tokens(database: db.Database, see: str, change: str) -> tuple[str, str]:
    configure(
        WORKSPACE.replace("country: BR,", RIGHTS.replace("SEE", see).replace("CHANGE", change)), rules=RULES
    )
    with database.unit_of_work() as session:
        ana = session.scalars(select(User).where(User.email == "ana@acme.test")).one()
        return tuple(
            create_token(session, f"ana {role.value}", role, user=ana)
            for role in (Role.AGENT, Role.READ_ONLY)
        )  # type: ignore[return-value]


@pytest.mark.parametrize("see", ["own", "team", "all"])
def test_every_route_shows_what_is_in_sight_and_no_more(
    client: FlaskClient, database: db.Database, things: dict[str, dict[str, int]], see: str
) -> None:
    agent, reader = tokens(database, see, "own")
    for (method, path), allowed in MATRIX.items():
        place = path.split("/")[1]
        if "{id}" not in path or place not in things["ana"]:
            continue
        for owner in OWNERS:
            there = path.replace("{id}", str(things[owner][place]))
            sent = {"json": {"nonsense": 1}} if method in ("POST", "PUT", "PATCH") else {}
            for token, role in ((agent, "agent"), (reader, "read-only")):
                told = act(client, token)(method, there, headers={"If-Match": '"x"'}, **sent)
                if role not in allowed:
                    assert told.status_code == 403, (role, method, there)
                elif owner not in SEEN[see]:
                    assert told.status_code == 404, (role, method, there, told.text)
                elif method != "GET" and owner != "ana":
                    assert told.status_code == 403, (role, method, there, told.text)
                else:
                    assert told.status_code not in (403, 404), (role, method, there, told.text)
    for place in KINDS:
        listed = {item["id"] for item in act(client, agent)("GET", f"/{place}?limit=200").json["items"]}
        mine = {owner for owner in OWNERS if things[owner][place] in listed}
        assert mine == SEEN[see], (place, listed)
    lists = {place: [f"/{place}"] for place in ELSEWHERE - {"timeline", "emails", "duplicates"}}
    lists["duplicates"] = [f"/duplicates?state={state}" for state in ("open", "dismissed")]
    for place, paths in lists.items():
        pages = [act(client, agent)("GET", path).json["items"] for path in paths]
        listed = {item["id"] for page in pages for item in page}
        assert {o for o in OWNERS if things[o][place] in listed} == SEEN[see], place


def test_every_route_by_number_is_looked_at() -> None:
    places = {path.split("/")[1] for _, path in MATRIX if "{id}" in path}
    assert places == {*KINDS, *ELSEWHERE, *APART}


def test_what_a_body_names_is_looked_at_too(
    client: FlaskClient, database: db.Database, things: dict[str, dict[str, int]]
) -> None:
    agent, _ = tokens(database, "team", "own")
    ask = act(client, agent)
    for owner, words in (("clara", "is not there"), ("bruno", "is not yours to change")):
        refused = ask(
            "POST", "/deals", json={"title": "x", "contacts": [{"contact_id": things[owner]["contacts"]}]}
        )
        assert refused.status_code == 422
        assert refused.json["errors"] == [{"field": "/contacts/0/contact_id", "detail": words}]
    assert ask("POST", "/runs", json={"rule": "all", "lead": things["clara"]["leads"]}).status_code == 422
    assert (
        ask(
            "POST",
            f"/contacts/{things['ana']['contacts']}/merge",
            json={"other": things["clara"]["contacts"]},
        ).status_code
        == 422
    )
    for whole in ("/feed", "/events", "/webhooks", "/imports"):
        assert ask("GET", whole).status_code == 403, whole


def test_a_token_may_what_its_scopes_say(client: FlaskClient, database: db.Database) -> None:
    with database.unit_of_work() as session:
        token = create_token(session, "x", Role.ADMIN, scopes=("leads:read", "contacts:write"))
        old = create_token(session, "old", Role.ADMIN, expires_at=clock.now())
        with pytest.raises(Invalid, match="no scope"):
            create_token(session, "y", Role.ADMIN, scopes=("leads:delete",))
    ask = act(client, token)
    assert ask("GET", "/leads").status_code == 200
    assert ask("GET", "/contacts").status_code == 200
    assert ask("POST", "/contacts", json={"name": "A"}).status_code == 201
    for method, path in (("POST", "/leads"), ("GET", "/deals"), ("GET", "/users")):
        refused = ask(method, path, **({"json": {}} if method == "POST" else {}))
        assert (refused.status_code, "scope" in refused.json["detail"]) == (403, True)
    assert act(client, old)("GET", "/leads").status_code == 401


def test_a_token_that_asks_too_much_is_told_when_to_come_again(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTARIA_API_RATE", "3 per minute")
    settings.cache_clear()
    _limiter.cache_clear()
    answers = [ask("GET", "/users") for _ in range(4)]
    assert [a.status_code for a in answers] == [200, 200, 200, 429]
    assert answers[0].headers["RateLimit-Policy"] == '"token";q=3;w=60'
    assert [a.headers["RateLimit"].split(";")[1] for a in answers] == ["r=2", "r=1", "r=0", "r=0"]
    assert 1 <= int(answers[3].headers["Retry-After"]) <= 60
    assert answers[3].content_type == "application/problem+json"
    assert ask("GET", "/users", role="agent").status_code == 200


def test_only_the_parts_that_are_asked_for_are_answered(ask: Ask) -> None:
    made = ask("POST", "/contacts", json={"name": "A", "emails": ["a@x.test"]}).json["id"]
    assert ask("GET", f"/contacts/{made}?fields=id,email").json == {"id": made, "email": "a@x.test"}
    page = ask("GET", "/contacts?fields=name&limit=1").json
    assert page == {"items": [{"name": "A"}], "next_cursor": None}
    for wrong in ("id,nothing", "", ","):
        refused = ask("GET", f"/contacts?fields={wrong}")
        assert (refused.status_code, refused.json["errors"][0]["field"]) == (422, "fields")
    assert ask("GET", "/deals?fields=id").json["items"] == []


def test_many_changes_are_carried_out_each_by_itself(ask: Ask, tokens: dict[str, str]) -> None:
    made = ask("POST", "/contacts", json={"name": "A"}).json["id"]
    operations = [
        {"method": "PATCH", "path": f"/contacts/{made}", "body": {"tags": ["vip"]}},
        {"method": "PATCH", "path": f"/contacts/{made}", "body": {"tags": []}, "if_match": '"x"'},
        {"method": "POST", "path": "/companies", "body": {"nme": "x"}},
        {"method": "POST", "path": "/companies", "body": {"name": "Sol"}},
        {"method": "DELETE", "path": "/deals/77"},
    ]
    told = ask("POST", "/bulk", json={"operations": operations}).json
    assert [item["status"] for item in told["items"]] == [200, 412, 422, 201, 404]
    assert told["failed"] == 3
    assert told["items"][0]["body"]["tags"] == ["vip"]
    assert told["items"][0]["etag"] == ask("GET", f"/contacts/{made}").headers["ETag"]
    assert ask("POST", "/bulk", json={"operations": operations[:1] * 101}).status_code == 422
    for path in ("/bulk", "/tokens", "/leads/../users", "//evil.test/x", "/rulesets"):
        refused = ask("POST", "/bulk", json={"operations": [{"method": "POST", "path": path, "body": {}}]})
        assert refused.status_code == 422, path
    assert ask("POST", "/bulk", json={"operations": operations[:1]}, role="read-only").status_code == 403
