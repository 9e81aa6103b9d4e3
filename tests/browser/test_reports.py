"""A report as a manager meets it: found in the bar, set out by day, saved, and put on a schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from core import db
from models.user import Role, User
from tests.browser import scene
from tests.browser.test_console import Visit, service, visit

if TYPE_CHECKING:
    from playwright.sync_api import Locator

__all__ = ["service", "visit"]  # fixtures
pytestmark = pytest.mark.browser


def widths(bars: Locator) -> list[float]:
    return [bar.bounding_box()["width"] for bar in bars.all()]  # type: ignore[index]


@pytest.mark.parametrize("visit", [("phone", "light")], indirect=True, ids="-".join)
def test_a_manager_opens_a_report_saves_it_and_has_it_mailed(service: str, visit: Visit) -> None:
    with db.unit_of_work() as session:
        scene.populate(session)
        session.get_one(User, 1).role = Role.MANAGER
    page = visit.page
    visit.sign_in(service)
    menu = page.locator("details.rest")
    menu.locator("summary").click()
    assert menu.get_by_role("link", name="Segments").is_visible()
    page.keyboard.press("Escape")
    assert menu.get_by_role("link", name="Segments").is_hidden()
    page.get_by_role("link", name="Reports", exact=True).click()
    page.wait_for_url("**/reports")
    page.get_by_role("link", name="Leads", exact=True).last.click()
    page.wait_for_url("**/reports/leads")
    page.get_by_role("img", name="Leads by source: Leads").wait_for()
    # On a telephone the bar scrolls: the page's own place is in sight, also after the counters have come.
    page.locator('[data-count="overdue"]:not([hidden])').wait_for()
    place = page.locator(".places")
    inside = "(e) => e.getBoundingClientRect().right <= e.parentElement.getBoundingClientRect().right + 1"
    assert place.get_by_role("link", name="Reports").evaluate(inside)
    # The bars are as long as their numbers are to each other, whatever the width of the window.
    numbers = [int(text) for text in page.locator(".numbers tbody td:nth-child(2)").all_inner_texts()]
    found = widths(page.locator("rect.bar"))
    assert len(found) == len(numbers) == 3
    for width, number in zip(found, numbers, strict=True):
        assert width / found[0] == pytest.approx(number / numbers[0], abs=0.02)
    visit.picture("report")
    page.get_by_label("By", exact=True).select_option("day")
    with page.expect_navigation():
        page.get_by_role("button", name="Show").click()
    assert page.get_by_role("img", name="Leads by day: Leads").locator("rect").count() == 30
    page.get_by_label("Name").fill("Every <b>day</b>")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**/saved-reports/1")
    page.get_by_label("When").select_option("workday")
    page.get_by_label("To, e-mail addresses").fill("boss@acme.test")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Mailed next: Tomorrow 08:00 to boss@acme.test").wait_for()
    visit.picture("report-saved")
    with page.expect_download() as download:
        page.get_by_role("link", name="XLSX").click()
    assert download.value.suggested_filename == "leads-2026-10-25-2026-11-23.xlsx"
    assert visit.complaints == []
