"""Who may open which page of the console, and do what on it: each route, one a line; one that is missing fails."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import AnyConverter, BaseConverter

from core import db
from models.user import Role, User
from tests.console.conftest import token

#: all: whoever is signed in; write: all but read-only; manage: administrators and managers.
WHO = {
    "all": tuple(Role),
    "write": (Role.ADMIN, Role.MANAGER, Role.AGENT),
    "manage": (Role.ADMIN, Role.MANAGER),
}
TABLE = """
write  POST activity_end
all    GET  attachment
write  POST attachment_fetch
all    GET  calendar
write  POST calendar_post
write  POST call_contact
write  POST call_deal
write  POST call_lead
write  POST call_outcome
all    GET  companies
all    GET  company
write  POST company_comment
write  POST company_plan
all    GET  complete
write  POST complete_post
all    GET  contact
write  POST contact_comment
write  POST contact_plan
all    GET  contacts
manage GET  data_contact
manage GET  data_lead
all    GET  deal
write  POST deal_comment
write  POST deal_plan
write  POST deal_again
write  POST deal_create
write  GET  deal_edit
write  GET  deal_lines
write  POST deal_lines_save
write  POST deal_move
write  GET  deal_new
write  POST deal_save
write  POST deal_template_do
all    GET  deals
manage GET  deliveries
manage POST deliveries_replay
manage POST delivery_replay
write  POST duplicate_dismiss
all    GET  duplicates
manage POST erase_contact
manage POST erase_lead
all    GET  export
all    GET  first_answers
manage GET  form_edit
manage POST form_edit_post
manage GET  form_new
manage POST form_new_post
manage POST form_withdraw
all    GET  forms
all    GET  home
manage POST import_do
all    GET  import_errors
manage POST import_new
all    GET  import_one
all    GET  imports
all    GET  lead
write  POST lead_comment
write  POST lead_plan
all    GET  leads
all    GET  mail
write  POST mail_again
all    GET  mail_body
all    GET  mail_part
all    GET  mail_source
manage POST mailbox_reconcile
manage POST mailbox_retry
all    GET  merge_company
write  POST merge_company_post
all    GET  merge_contact
write  POST merge_contact_post
all    GET  merge_lead
write  POST merge_lead_post
write  POST merge_undo
all    GET  notifications
all    POST notifications_read
write  POST pin
all    GET  product
write  POST product_create
write  GET  product_new
all    GET  product_picture
write  POST product_picture_set
write  POST product_save
write  POST product_section_do
write  POST product_section_new
all    GET  product_sections
all    GET  products
all    GET  quarantine
all    GET  recording
write  POST release
all    GET  report
manage POST report_keep
all    GET  reports
all    GET  ringing
all    GET  saved_report
manage POST saved_report_delete
manage POST saved_report_set
all    GET  segment
write  POST segment_do
write  GET  segment_new
write  POST segment_new_post
write  POST segment_post
all    GET  segments
manage POST storm_resume
write  POST take
all    GET  todo
all    GET  ways_in
write  GET  write_contact
write  POST write_contact_post
write  GET  write_contact_preview
write  GET  write_deal
write  POST write_deal_post
write  GET  write_deal_preview
write  GET  write_lead
write  POST write_lead_post
write  GET  write_lead_preview
"""
#: What is open before anybody has signed in, and signing out.
_APART = {"static", "sign_in", "sign_in_post", "sign_out", "welcome", "welcome_post"}
_PARTS: dict[str, Any] = {"IntegerConverter": 1, "UUIDConverter": UUID(int=0), "UnicodeConverter": "contact"}


def an_example(converter: BaseConverter) -> Any:
    """Something that the part of an address may be."""
    if isinstance(converter, AnyConverter):
        return min(converter.items)
    return _PARTS[type(converter).__name__]


def routes(app: Flask) -> dict[tuple[str, str], str]:
    """An address of each, by method and page."""
    adapter = app.url_map.bind("localhost")
    found = {}
    for rule in app.url_map.iter_rules():
        page = rule.endpoint.removeprefix("console.")
        if rule.endpoint.startswith("console.") and page not in _APART:
            parts = {name: an_example(rule._converters[name]) for name in rule.arguments}
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                found[method, page] = adapter.build(rule.endpoint, parts)
    return found


@pytest.mark.parametrize("role", list(Role))
def test_each_page_is_for_whom_the_table_says(
    app: Flask, ana: FlaskClient, people: dict[str, int], role: Role
) -> None:
    table = {(method, page): WHO[who] for who, method, page in (r.split() for r in TABLE.split("\n") if r)}
    addresses = routes(app)
    assert set(addresses) == set(table)
    form = {"csrf_token": token(ana.get("/leads"))}
    with db.unit_of_work() as session:
        session.get_one(User, people["ana"]).role = role
    for (method, page), allowed in table.items():
        with ana.open(
            addresses[method, page], method=method, data=form if method == "POST" else None
        ) as told:
            assert (told.status_code != 403) == (role in allowed), (method, page, told.status_code)
            assert told.status_code < 500, (method, page)
