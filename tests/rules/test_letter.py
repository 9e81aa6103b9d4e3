"""Templates of mails: what may stand in them is known before any is sent."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy.orm import Session

from boot.commands.templates import templates
from core import db
from core.errors import Invalid
from crm.messages import Letter
from crm.workspace import WorkspaceSettings
from rules import footer, letter
from rules.letter import TemplateSettings
from tests.factories import WORKSPACE, configure_in, enquire

HOSTILE = [
    "{{ ''.__class__ }}",
    "{{ lead.__class__ }}",
    "{{ lead['name'] }}",
    "{{ lead.name.upper() }}",
    "{{ 7*7 }}",
    "{% for x in lead %}{% endfor %}",
    "{% include 'x' %}",
    "{{ lead.name | attr('x') }}",
    "{{ config }}",
    "{{ lead.nmae }}",
    "{{ lead.name",
    "{{ lead }}",
]


def made(**parts: Any) -> TemplateSettings:
    return TemplateSettings.model_validate({"key": "x", "text": "y", **parts})


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("part", ["subject", "text", "html"])
def test_nothing_but_fields_that_exist_stands_in_a_template(hostile: str, part: str) -> None:
    with pytest.raises(Invalid, match=part):
        letter.check(made(**{part: hostile}))
    with pytest.raises(Invalid, match="pt"):
        letter.check(made(languages={"pt": {part: hostile}}))


def test_a_workspace_with_such_a_template_is_refused_though_no_rule_uses_it(session: Session) -> None:
    text = WORKSPACE.replace("Dear {{ lead.name }}", "Dear {{ ''.__class__ }}")
    with pytest.raises(Invalid, match=r"templates\[1\]"):
        configure_in(session, text)


N = "{{ lead.name }}"


@pytest.mark.parametrize(
    "html",
    [
        f'<a href="{N}">x</a>',
        f"<a href='javascript:alert({N})'>x</a>",
        '<a href="javascript:alert(1)">x</a>',
        f'<a href="https://{N}/">x</a>',
        f"<a href=https://x.test/{N}>x</a>",
        f"<img src='{N}'>",
        f"<p title={N}>x</p>",
        f"<{N}>",
        f"<p {N}>x</p>",
        f'<p onclick="{N}">x</p>',
        '<p onclick="x()">x</p>',
        f"<script>var a = '{N}'</script>",
        "<script>alert(1)</script>",
        f"<style>p {{ color: {N} }}</style>",
        f'<p style="color: {N}">x</p>',
        f"<!-- {N} -->",
        "<iframe src='https://x.test/'></iframe>",
        "<form action='https://x.test/'></form>",
    ],
)
def test_in_html_a_value_is_never_more_than_text(html: str) -> None:
    with pytest.raises(Invalid):
        letter.check(made(html=html))


@pytest.mark.parametrize(
    "html",
    [
        f"<p>{N}</p>",
        f'<p title="{N}">x</p>',
        f'<a href="https://acme.test/?name={N}">x</a>',
        f'<a href="mailto:{N}">x</a>',
        "<p>{{ lead.name | default('hello \"you\"') }}</p>",
        "<style>p { color: red }</style><p style='color: red'>x</p><img src='https://acme.test/logo.png'>",
        "",
    ],
)
def test_what_mails_are_made_of_is_let_through(html: str) -> None:
    letter.check(made(html=html))


def test_values_are_escaped_in_html_and_filled_in_once() -> None:
    values = {"lead": {"name": '<b onclick="x">\'&{{ lead.email }}', "email": "secret@x.test"}}
    said = letter.write(
        made(subject=N + "\r\nBcc: x", text=N, html=f'<p title="{N}">{N}</p>'),
        values,
        language="en",
        workspace=WorkspaceSettings(),
    ).letter
    assert "\r" not in said.subject
    assert "\n" not in said.subject
    assert said.text == values["lead"]["name"]
    assert said.html.count("&lt;b onclick=&#34;x&#34;&gt;&#39;&amp;{{ lead.email }}") == 2
    assert "secret" not in said.subject + said.text + said.html


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "y"),
        ("pt", "sim"),
        ("pt-BR", "sim"),
        ("pt_BR", "sim"),
        ("de", "ja"),
        ("de-CH", "grüezi"),
        ("ja", "y"),
        ("", "y"),
    ],
)
def test_the_nearest_language_is_taken(language: str, text: str) -> None:
    template = made(languages={"pt": {"text": "sim"}, "de": {"text": "ja"}, "de-CH": {"text": "grüezi"}})
    assert letter.write(template, {}, language=language, workspace=WorkspaceSettings()).letter.text == text


def test_the_line_to_unsubscribe_stands_in_text_and_html_in_the_reader_s_language() -> None:
    said = footer.added(
        Letter("s", "t\n", "<html><body><p>t</p></body></html>"), "https://x.test/in/unsubscribe/1-a", "pt-BR"
    )
    assert said.text.endswith("https://x.test/in/unsubscribe/1-a\n")
    assert "Cancele aqui" in said.text
    assert said.html.endswith("</p></body></html>")
    assert footer.added(Letter("s", "t"), "https://x.test/", "xx").html == ""


def test_the_command_shows_how_a_template_reads(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("boot.commands.templates.begin", lambda: None)
    with database.unit_of_work() as session:
        configure_in(session)
        lead_id = enquire(session).lead.id
    shown = CliRunner().invoke(templates, ["preview", "welcome", "--lead", str(lead_id)])
    assert shown.output == "Subject: Hello Maria Souza\n\nDear Maria Souza, thank you.\n"
    assert CliRunner().invoke(templates, ["preview", "welcome", "--lead", "99"]).exit_code != 0
    told = CliRunner().invoke(templates, ["preview", "welcome", "--lead", str(lead_id), "--json"])
    assert '"language": "en"' in told.output
