"""Deals and the catalogue in a browser: seen, filled in and changed, at the size of a telephone too."""

from __future__ import annotations

from decimal import Decimal

import pytest

from core import db
from crm import companies, contacts, deal_lines, deals, products
from tests.browser.test_console import Visit, service, visit
from tests.console import seed

__all__ = ["service", "visit"]

pytestmark = pytest.mark.browser


@pytest.fixture
def stock(service: str) -> None:
    """Some products in their sections, and a deal with two lines."""
    with db.unit_of_work() as session:
        seed.workspace(session)
        for name, section, price in (
            ("Deck oven with four decks and stone floors", "Ovens > Electric", 18400),
            ("Rack oven", "Ovens > Gas", 23900),
            ("Baking tray 58 × 78", "Trays", "96.50"),
        ):
            told = {
                "name": name,
                "sku": name[:4].upper(),
                "section": section,
                "prices": {"BRL": Decimal(price)},
            }
            products.create(session, {**told, "unit": "piece", "tax_rate": Decimal(18)})
        company = companies.create(session, name="Padaria Sol", actor="t")
        contacts.create(session, name="Maria Lima", phones=["+5511987650001"], actor="t")
        maria = contacts.create(
            session, name="Maria Souza", emails=["m@sol.test"], actor="t", company_id=company.id
        )
        deal = deals.create(
            session, title="Two ovens and their trays", actor="t", contact=maria, company_id=company.id
        )
        wanted = ({"product_id": 1, "quantity": Decimal(2)}, {"product_id": 3, "quantity": Decimal(40)})
        lines = [deal_lines.line(session, "BRL", given, field="") for given in wanted]
        deal_lines.set_lines(session, deal, lines, actor="t")


def test_a_deal_is_seen_changed_and_moved(service: str, stock: None, visit: Visit) -> None:
    page = visit.page
    visit.sign_in(service)
    page.goto(f"{service}/deals/1")
    visit.picture("deal")
    with page.expect_navigation():
        page.get_by_role("link", name="Change", exact=True).first.click()
    visit.picture("deal-change")
    page.goto(f"{service}/deals/1")
    with page.expect_navigation():
        page.locator("#lines + a").click()
    visit.picture("deal-lines")
    page.locator("summary", has_text="Baking tray").click()
    page.locator("summary", has_text="New line").first.click()
    visit.picture("deal-lines-open")
    page.goto(f"{service}/new-deal?contact=2")
    visit.picture("deal-new")
    page.get_by_label("Title").fill("One more oven")
    page.locator("#contact").fill("maria")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Which one?").wait_for()
    visit.picture("deal-which")
    assert ["422" in one for one in visit.complaints] == [True]
    visit.complaints.clear()
    page.get_by_label("Maria Souza").check()
    page.get_by_role("button", name="Save").click()
    page.wait_for_url(f"{service}/deals/2")
    visit.picture("deal-bare")
    page.goto(f"{service}/deals")
    visit.picture("deals")
    assert visit.complaints == []


def test_the_catalogue_is_looked_through_by_section(service: str, stock: None, visit: Visit) -> None:
    page = visit.page
    visit.sign_in(service)
    page.goto(f"{service}/products")
    visit.picture("products")
    page.get_by_role("link", name="Rack oven").first.click()
    page.wait_for_url(f"{service}/products/2")
    visit.picture("product")
    page.goto(f"{service}/product-sections")
    visit.picture("product-sections")
    page.goto(f"{service}/new-product")
    visit.picture("product-new")
    assert visit.complaints == []


def test_a_deal_is_let_come_again(service: str, stock: None, visit: Visit) -> None:
    page = visit.page
    visit.sign_in(service)
    page.goto(f"{service}/deals/1")
    page.get_by_text("Let it come again").click()
    visit.picture("deal-again-new")
    page.get_by_label("How often").select_option(label="Every 3 months")
    page.get_by_label("Next on").fill("2030-01-31T09:00")
    page.get_by_role("button", name="Set", exact=True).click()
    page.get_by_text("Next deal:").wait_for()
    page.get_by_text("Change or end").click()
    visit.picture("deal-again")
    page.get_by_role("button", name="Let it rest").click()
    page.get_by_text("It rests").wait_for()
    page.get_by_text("Change or end").click()
    page.get_by_role("button", name="End it").click()
    page.get_by_text("Let it come again").wait_for()
    assert visit.complaints == []
