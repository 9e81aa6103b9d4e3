"""What a user of the console sees and may change, page by page."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from core import db
from core.ids import new_id
from crm import companies, contacts
from models.user import Role, User
from models.webhook import DeliveryState, WebhookDelivery
from models.workspace import WorkspaceRow
from tests.console import seed
from tests.console.conftest import token
from tests.factories import deal


@pytest.mark.parametrize(("see", "change"), [("own", "own"), ("team", "own"), ("all", "own")])
def test_each_page_shows_what_is_in_sight(
    ana: FlaskClient, people: dict[str, int], see: str, change: str
) -> None:
    paths: dict[str, list[str]] = {}
    with db.unit_of_work() as session:
        row = session.get_one(WorkspaceRow, 1)
        row.settings = {**row.settings, "rights": {"agent": {"see": see, "change": change}}}
        for owner, owner_id in (("mine", people["ana"]), ("nobody's", None), ("theirs", people["bruno"])):
            lead = seed.lead(session, name=f"L {owner}", email=f"{owner[:3]}@x.test", owner_id=owner_id)
            contact = contacts.create(session, name=f"C {owner}", actor="t", owner_id=owner_id)
            company = companies.create(session, name=f"F {owner}", actor="t", owner_id=owner_id)
            sale = deal(session, title=f"D {owner}", owner_id=owner_id)
            rows = (("leads", lead), ("contacts", contact), ("companies", company), ("deals", sale))
            paths[owner] = [f"/{place}/{one.id}" for place, one in rows]
    seen = {"own": ["mine"], "team": ["mine", "nobody's"], "all": ["mine", "nobody's", "theirs"]}[see]
    form = {"csrf_token": token(ana.get("/leads"))}
    for whole in ("/imports", "/quarantine"):
        assert ana.get(whole).status_code == (200 if see == "all" else 403)
    for owner, addresses in paths.items():
        for address in addresses:
            assert ana.get(address).status_code == (200 if owner in seen else 404), address
            for below in ("/merge", "/activities"):
                status = ana.post(address + below, data=form).status_code
                if address.startswith("/deals") and below == "/merge":
                    continue
                wanted = 404 if owner not in seen else 403 if owner != "mine" else None
                assert status == wanted or (wanted is None and status not in (403, 404, 500)), (
                    address,
                    below,
                )
        for place in ("leads", "contacts", "companies", "deals"):
            if place != "deals" or see == "all":
                text = ana.get(f"/{place}").text
                assert (f" {owner.replace(chr(39), '&#39;')}" in text) == (owner in seen), (place, owner)


def test_deliveries_are_listed_and_sent_again_by_managers(ana: FlaskClient, people: dict[str, int]) -> None:
    hostile = "<script>alert(1)</script>"
    with db.unit_of_work() as session:
        row = WebhookDelivery(
            endpoint="sync", event_id=new_id(), kind="contact.created", body="{}", state=DeliveryState.DEAD, attempts=10,
            due_at=seed.NOW, created_at=seed.NOW, ended_at=seed.NOW, result=hostile,
        )  # fmt: skip
        session.add(row)
        session.flush()
        session.get_one(WorkspaceRow, 1).webhooks = [{"key": "sync", "url": "https://sync.test"}]
        number = row.id
    form = {"csrf_token": token(ana.get("/leads"))}
    assert ana.get("/webhooks").status_code == 403
    assert ana.post(f"/webhook-deliveries/{number}/replay", data=form).status_code == 403
    with db.unit_of_work() as session:
        session.get_one(User, people["ana"]).role = Role.MANAGER
    page = ana.get("/webhooks?state=dead")
    assert (hostile in page.text, "contact.created" in page.text) == (False, True)
    assert ana.post(f"/webhook-deliveries/{number}/replay", data=form).status_code == 303
    with db.unit_of_work() as session:
        row = session.get_one(WebhookDelivery, number)
        assert (row.state, row.attempts) == (DeliveryState.WAITING, 0)
        row.state, row.body = DeliveryState.DEAD, ""
    assert ana.post(f"/webhook-deliveries/{number}/replay", data=form).status_code == 409  # it was erased
    assert ana.post("/webhooks/sync/replay", data=form).status_code == 303
    assert ana.post("/webhooks/none/replay", data=form).status_code == 404
