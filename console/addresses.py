"""Which page is at which address."""

from __future__ import annotations

from functools import partial

from flask import Blueprint, redirect, url_for

from console import (
    activities,
    attachments,
    calling,
    completion,
    crm,
    deal_lines,
    deal_templates,
    deals,
    deliveries,
    duplicates,
    exports,
    first_answers,
    forms,
    imports,
    leads,
    mails,
    merging,
    notifications,
    privacy,
    product_sections,
    products,
    quarantine,
    reports,
    ringing,
    saved_reports,
    segments,
    sign_in,
    timelines,
    todo,
    ways_in,
    write,
)
from console.leads import LARGEST_ID

_ID = f"int(max={LARGEST_ID})"
_SEND_AGAIN = f"/sent/<{_ID}:message_id>/again"
_SAVED = f"/saved-reports/<{_ID}:report_id>"
_FILE = f"/attachments/<{_ID}:attachment_id>"
_RECORDING = f"/recordings/<{_ID}:recording_id>"
_CALL = f"/calls/<{_ID}:call_id>"
_IMPORT = f"/imports/<{_ID}:import_id>"
_DELIVERY = f"/webhook-deliveries/<{_ID}:delivery_id>/replay"
_DISMISS = f"/duplicates/<{_ID}:pair_id>/dismiss"
_UNDO = f"/merges/<{_ID}:merge_id>/undo"
_DEAL = f"/deals/<{_ID}:row_id>"
_TEMPLATE = f"/deal-templates/<{_ID}:template_id>/<any(change, pause, 'go-on', end):what>"
_PRODUCT = f"/products/<{_ID}:row_id>"
_TAKE = f"{_CALL}/take"
_ENTRY = f"/timeline/<{_ID}:entry_id>"
_ACTIVITY = f"/activities/<{_ID}:activity_id>"
_LEAD = f"/leads/<{_ID}:lead_id>"


def connect(pages: Blueprint) -> None:
    """Gives each page its address. Those under one address differ by what is done there."""
    at = pages.add_url_rule
    at("/", "home", lambda: redirect(url_for("console.leads"), 303))
    at("/leads", "leads", leads.all_leads)
    at(_LEAD, "lead", leads.one_lead)
    call_lead = f"/leads/<{_ID}:row_id>/call"
    at(call_lead, "call_lead", partial(calling.call, "lead"), methods=["POST"])
    at(f"{_CALL}/outcome", "call_outcome", calling.outcome, methods=["POST"])
    for plural, kind in (("leads", "lead"), ("contacts", "contact"), ("deals", "deal")):
        address = f"/{plural}/<int(max={leads.LARGEST_ID}):row_id>/write"
        at(address, f"write_{kind}", partial(write.form, kind))
        at(address, f"write_{kind}_post", partial(write.post, kind), methods=["POST"])
        at(f"{address}/preview", f"write_{kind}_preview", partial(write.preview, kind))
    at(_SEND_AGAIN, "mail_again", write.again, methods=["POST"])
    at(_FILE, "attachment", attachments.download_one)
    at(f"{_FILE}/fetch", "attachment_fetch", attachments.fetch, methods=["POST"])
    at(_RECORDING, "recording", attachments.hear)
    at(f"{_LEAD}/complete", "complete", completion.complete)
    at(f"{_LEAD}/complete", "complete_post", completion.complete_post, methods=["POST"])
    at("/contacts", "contacts", crm.all_contacts)
    at("/companies", "companies", crm.all_companies)
    at("/deals", "deals", crm.board)
    at("/new-deal", "deal_new", deals.form)
    at("/new-deal", "deal_create", deals.save, methods=["POST"])
    at(f"{_DEAL}/change", "deal_edit", deals.form)
    at(f"{_DEAL}/change", "deal_save", deals.save, methods=["POST"])
    at(f"{_DEAL}/stage", "deal_move", deals.move, methods=["POST"])
    at(f"{_DEAL}/lines", "deal_lines", deal_lines.form)
    at(f"{_DEAL}/lines", "deal_lines_save", deal_lines.save, methods=["POST"])
    at(f"{_DEAL}/again", "deal_again", deal_templates.begin, methods=["POST"])
    at(_TEMPLATE, "deal_template_do", deal_templates.do, methods=["POST"])
    for plural, kind in (("contacts", "contact"), ("companies", "company"), ("deals", "deal")):
        one = f"/{plural}/<{_ID}:row_id>"
        at(one, kind, partial(crm.one, kind))
        at(f"{one}/activities", f"{kind}_plan", partial(activities.plan, kind), methods=["POST"])
        if kind != "company":
            at(f"{one}/call", f"call_{kind}", partial(calling.call, kind), methods=["POST"])
        at(f"{one}/comments", f"{kind}_comment", partial(timelines.comment, kind), methods=["POST"])
    at(
        f"{_LEAD}/activities",
        "lead_plan",
        lambda lead_id: activities.plan("lead", lead_id),
        methods=["POST"],
    )
    at(
        f"{_LEAD}/comments",
        "lead_comment",
        lambda lead_id: timelines.comment("lead", lead_id),
        methods=["POST"],
    )
    at(f"{_ENTRY}/<any(pin, unpin):what>", "pin", timelines.pin, methods=["POST"])
    at(f"{_ACTIVITY}/<any(done, cancelled):what>", "activity_end", activities.end, methods=["POST"])
    at("/to-do", "todo", todo.todo)
    at("/my-calendar", "calendar", activities.calendar)
    at("/my-calendar", "calendar_post", activities.calendar_post, methods=["POST"])
    for plural, kind in (("leads", "lead"), ("contacts", "contact"), ("companies", "company")):
        merge = f"/{plural}/<{_ID}:row_id>/merge"
        at(merge, f"merge_{kind}", partial(merging.page, kind))
        at(merge, f"merge_{kind}_post", partial(merging.post, kind), methods=["POST"])
    for plural, kind in (("leads", "lead"), ("contacts", "contact")):
        person = f"/{plural}/<{_ID}:row_id>"
        at(f"{person}/data", f"data_{kind}", partial(privacy.take, kind))
        at(f"{person}/erase", f"erase_{kind}", partial(privacy.erase, kind), methods=["POST"])
    at("/exports/<kind>", "export", exports.export)
    at("/webhooks", "deliveries", deliveries.all_deliveries)
    at(_DELIVERY, "delivery_replay", deliveries.replay, methods=["POST"])
    at("/webhooks/<key>/replay", "deliveries_replay", deliveries.replay_dead, methods=["POST"])
    at("/duplicates", "duplicates", duplicates.all_pairs)
    at(_DISMISS, "duplicate_dismiss", duplicates.dismiss, methods=["POST"])
    at(_UNDO, "merge_undo", merging.undo, methods=["POST"])
    at("/mails/<uuid:event_id>", "mail", mails.one)
    at("/mails/<uuid:event_id>/body", "mail_body", mails.body)
    at("/mails/<uuid:event_id>/parts/<int(max=1000):number>", "mail_part", mails.part)
    at("/mails/<uuid:event_id>/source", "mail_source", mails.source)
    at("/ringing", "ringing", ringing.ringing_now)
    at(_TAKE, "take", ringing.take, methods=["POST"])
    at("/first-answers", "first_answers", first_answers.page)
    at("/notifications", "notifications", notifications.mine)
    at("/notifications", "notifications_read", notifications.read, methods=["POST"])
    at("/storms/resume", "storm_resume", notifications.resume, methods=["POST"])
    at("/forms", "forms", forms.all_forms)
    at("/new-form", "form_new", forms.edit)
    at("/new-form", "form_new_post", forms.declare, methods=["POST"])
    at("/forms/<key>", "form_edit", forms.edit)
    at("/forms/<key>", "form_edit_post", forms.declare, methods=["POST"])
    at("/forms/<key>/withdraw", "form_withdraw", forms.withdraw, methods=["POST"])
    at("/imports", "imports", imports.all_imports)
    at("/imports", "import_new", imports.take_in, methods=["POST"])
    at(_IMPORT, "import_one", imports.one_import)
    at(f"{_IMPORT}/<any(start, stop, undo):what>", "import_do", imports.do, methods=["POST"])
    at(f"{_IMPORT}/errors", "import_errors", imports.errors)
    at("/quarantine", "quarantine", quarantine.all_held)
    at("/quarantine/<uuid:event_id>", "release", quarantine.release, methods=["POST"])
    at("/ways-in", "ways_in", ways_in.ways_in)
    at("/mailboxes/<key>/reconcile", "mailbox_reconcile", ways_in.reconcile, methods=["POST"])
    at("/mailboxes/<key>/retry", "mailbox_retry", ways_in.retry, methods=["POST"])
    at("/products", "products", products.all_products)
    at("/new-product", "product_new", products.form)
    at("/new-product", "product_create", products.save, methods=["POST"])
    at(_PRODUCT, "product", products.one)
    at(_PRODUCT, "product_save", products.save, methods=["POST"])
    at(f"{_PRODUCT}/picture", "product_picture", products.picture)
    do_picture = f"{_PRODUCT}/picture/<any(set, remove):what>"
    at(do_picture, "product_picture_set", products.set_picture, methods=["POST"])
    do_section = f"/product-sections/<{_ID}:row_id>/<any(change, delete):what>"
    at("/product-sections", "product_sections", product_sections.all_sections)
    at("/product-sections", "product_section_new", product_sections.create, methods=["POST"])
    at(do_section, "product_section_do", product_sections.change, methods=["POST"])
    at("/reports", "reports", reports.all_reports)
    at("/reports/<kind>", "report", reports.one_report)
    at("/reports/<kind>", "report_keep", saved_reports.keep, methods=["POST"])
    at(_SAVED, "saved_report", saved_reports.one)
    at(_SAVED, "saved_report_set", saved_reports.change, methods=["POST"])
    at(f"{_SAVED}/delete", "saved_report_delete", saved_reports.delete, methods=["POST"])
    at("/segments", "segments", segments.all_segments)
    at("/new-segment", "segment_new", segments.form)
    at("/new-segment", "segment_new_post", segments.save, methods=["POST"])
    at("/segments/<key>", "segment", segments.one)
    at("/segments/<key>", "segment_post", segments.save, methods=["POST"])
    do_segment = "/segments/<key>/<any(refresh, delete, start):what>"
    at(do_segment, "segment_do", segments.do, methods=["POST"])
    at("/sign-in", "sign_in", sign_in.form)
    at("/sign-in", "sign_in_post", sign_in.post, methods=["POST"])
    at("/sign-out", "sign_out", sign_in.out, methods=["POST"])
    at("/welcome/<token>", "welcome", sign_in.welcome)
    at("/welcome/<token>", "welcome_post", sign_in.welcome_post, methods=["POST"])
