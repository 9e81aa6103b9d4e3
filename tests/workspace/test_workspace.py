"""The workspace file: checked with the place of each mistake, applied once, written back out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import Invalid
from core.settings import settings
from models.source import Channel, Source
from models.user import Team, User
from models.workspace import WorkspaceRow
from rules import ruleset
from tests.factories import WORKSPACE, configure_in
from workspace import document
from workspace.apply import apply
from workspace.check import check
from workspace.export import export

RULES = (
    '  - {name: all, on: lead.created, when: "lead.score >= 0", do: [assign: {team: inbound}, add_tag: x]}'
)
LINE = "  - {key: main, provider: twilio, auth_token: s3cr3t-token, numbers: ['+551140000000']}"


def read_text(tmp_path: Path, text: str) -> document.Document:
    file = tmp_path / "w.yaml"
    file.write_text(text)
    return document.read(file)


def test_applying_twice_changes_nothing(session: Session) -> None:
    assert configure_in(session, rules=RULES, lines=LINE)
    version = session.get_one(WorkspaceRow, 1).version
    assert configure_in(session, rules=RULES, lines=LINE) == []
    assert session.get_one(WorkspaceRow, 1).version == version


def test_what_is_exported_and_applied_again_changes_nothing(session: Session, tmp_path: Path) -> None:
    configure_in(session, rules=RULES, lines=LINE)
    text = document.write(export(session))
    assert "s3cr3t-token" not in text
    assert apply(session, check(session, read_text(tmp_path, text)), by="test") == []


def test_lists_are_applied_exported_and_checked_like_the_rest(session: Session, tmp_path: Path) -> None:
    lists = "  - {key: rivals, name: Rivals, values: [acme.com, 1234]}"
    rules = "  - {name: r, on: lead.created, when: 'in_list(lead.email, \"%s\")', do: [add_tag: x]}"
    changes = [str(c) for c in configure_in(session, lists=lists, rules=rules % "rivals")]
    assert "+ list rivals" in changes
    text = document.write(export(session))
    assert "rivals" in text
    assert apply(session, check(session, read_text(tmp_path, text)), by="test") == []
    changed = configure_in(session, lists=lists.replace("1234", "1235"))
    assert [str(c) for c in changed] == ["~ list rivals (values)"]
    with pytest.raises(Invalid, match="there is no list 'rivls'; did you mean 'rivals'"):
        configure_in(session, rules=rules % "rivls")
    with pytest.raises(Invalid, match="'rivals' stands twice in lists"):
        configure_in(session, lists=f"{lists}\n{lists}")


def test_what_a_policy_s_condition_names_must_be_there(session: Session) -> None:
    policy = "  - {key: fast, first_response: 1 hour, pause_when: 'in_list(lead.email, \"rivls\")'}"
    lists = "  - {key: rivals, values: [acme.com]}"
    with pytest.raises(Invalid, match=r"sla\[1\].pause_when: .* there is no list 'rivls'; did you mean"):
        configure_in(session, lists=lists, sla=policy)
    configure_in(session, lists=lists, sla=policy.replace("rivls", "rivals"))


def test_a_source_that_is_none_is_told_where_a_condition_names_it(session: Session) -> None:
    rules = "  - {name: r, on: lead.created, when: 'lead.source == \"%s\"', do: [add_tag: x]}"
    configure_in(session, rules=rules % "contact")
    with pytest.raises(Invalid, match=r"'lead.source' is never 'contcat'; did you mean 'contact'"):
        configure_in(session, rules=rules % "contcat")


def test_a_changed_file_says_what_it_changes(session: Session) -> None:
    configure_in(session, rules=RULES)
    text = WORKSPACE.replace("name: Bruno", "name: Bruno Reis").replace("{key: open}", "{key: other}")
    changes = [str(c) for c in configure_in(session, text, rules=RULES.replace("add_tag: x", "add_tag: y"))]
    assert changes == [
        "~ user bruno@acme.test (name)",
        "+ form other",
        "- form open",
        "~ rules (version 2, 1 rules)",
    ]
    assert not session.scalars(select(Source).where(Source.key == "open")).one().active


def test_a_part_that_is_left_out_is_left_alone(session: Session) -> None:
    configure_in(session, rules=RULES)
    assert configure_in(
        session, "workspace: {name: New, country: BR, timezone: America/Sao_Paulo, currency: BRL}"
    )
    assert session.scalars(select(Team.active)).all() == [True]
    assert ruleset.active(session) is not None


def test_who_is_no_longer_named_is_switched_off_and_not_deleted(session: Session) -> None:
    configure_in(session)
    configure_in(
        session,
        WORKSPACE.replace("  - {email: bruno@acme.test, name: Bruno}\n", "").replace(
            ", bruno@acme.test]", "]"
        ),
    )
    assert session.scalars(select(User.active).where(User.email == "bruno@acme.test")).one() is False


def test_secrets_are_sealed_and_references_stay_references(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "from-the-environment")
    configure_in(session, lines=LINE)
    stored = session.scalars(select(Source).where(Source.channel == Channel.CALL)).one()
    assert stored.settings["auth_token"].startswith("sealed:1:")
    configure_in(session, lines=LINE.replace("s3cr3t-token", '"${TOKEN}"'))
    assert stored.settings["auth_token"] == "${TOKEN}"
    assert "from-the-environment" not in str(session.get_one(WorkspaceRow, 1).environment)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("users: [{email: nobody}]", "w.yaml:1: users[1].email: 'nobody' is no e-mail address (found: 'nobody')"),
        ("workspace:\n  country: Brazil", "w.yaml:2: workspace.country: String should match"),
        ("workspace:\n  timezone: Mars/Base", "'Mars/Base' is no IANA time zone"),
        ("froms: []", "'froms' is not known here; did you mean 'forms'?"),
        ("forms:\n  - {key: a}\n  - {key: a}", "w.yaml:3: forms[2].key: 'a' stands twice in forms"),
        ("forms:\n  - {key: 'A b'}", "w.yaml:2: forms[1].key"),
        ("forms:\n  - {key: a, redirect: 'javascript:alert(1)'}", "is no http or https address"),
        ("forms:\n  - key: a\n    fields:\n      - {name: x, type: colour}", "w.yaml:4: forms[1].fields[1].type"),
        ("teams: [{key: a, members: [who@x.test]}]", "there is no user 'who@x.test'"),
        ("lines: [{key: a, provider: nobody}]", "lines[1]"),
        ("rules:\n  - {name: r, on: lead.create, do: [add_tag: x]}", "w.yaml:2: rules[1].on"),
        ("rules:\n  - {name: r, on: lead.created, do: [asign: {user: x}]}", "there is no step 'asign'; did you mean 'assign'?"),
        ("rules:\n  - {name: r, on: lead.created, do: [assign: {user: x@y.test}]}", "there is no user 'x@y.test'"),
        ("rules:\n  - {name: r, on: lead.created, do: [assign: {}]}", "needs one of user, team, territory"),
        ("rules:\n  - name: r\n    on: lead.created\n    when: lead.nme == 'x'\n    do: [add_tag: x]", "w.yaml:4: rules[1].when: rule 'r': at character 1: 'lead' has no 'nme'; did you mean 'name'?"),
        ("rules:\n  - {name: r, on: lead.created, do: [send_email: {template: nope}]}", "there is no template 'nope'"),
        ("rules:\n  - {name: r, on: lead.created, do: [schedule: {subject: x, due: 5 business minutes}]}", "needs a calendar"),
        ("rules:\n  - {name: r, on: lead.created, do: [notify: {webhook: 'file:///etc/passwd', text: x}]}", "is no http or https address"),
        ("rules:\n  - {name: r, on: lead.created, do: [set: {owner: x}]}", "'owner' cannot be set this way"),
        ("rules:\n  - {name: r, on: lead.created, do: []}", "rules[1].do"),
        ("rules:\n  - {name: r, on: lead.created, do: [add_tag: x]}\n  - {name: r, on: lead.created, do: [add_tag: x]}", "two rules named 'r'"),
        ("rules: [1, 2]", "rules[1]"),
        ("rules:\n  - {name: r, on: lead.created, do: [add_tag: x, {start_rule: r}]}", "w.yaml:2: rules[1].do[2]: rule 'r': starts itself again without end: r → r"),
        ("rules:\n  - {name: a, on: lead.created, do: [{start_rule: b}]}\n  - {name: b, on: manual, do: [{wait: 1 hours}, {start_rule: c}]}\n  - {name: c, on: manual, do: [{start_rule: b}]}", "w.yaml:3: rules[2].do[2]: rule 'b': starts itself again without end: b → c → b"),
        ("sms: {url: 'http://127.1:8025/', body: {to: x}}", "w.yaml:1: sms.url: 'http://127.1:8025/' is an address of a private network"),
        ("webhooks:\n  - {key: a, url: 'https://[::1]/', secret: 'whsec_MDEyMzQ1Njc4OWFiY2RlZg=='}", "w.yaml:2: webhooks[1].url: 'https://[::1]/' is an address of a private network"),
        ("webhooks:\n  - {key: a, url: 'https://db.localhost/', secret: 'whsec_MDEyMzQ1Njc4OWFiY2RlZg=='}", "is an address of a private network"),
        ("forms:\n  - {key: a, name: '${NOT_SET_ANYWHERE}'}", "w.yaml:2: forms[1].name: ${NOT_SET_ANYWHERE} is not set"),
        ("a: [1", "w.yaml:1"),
        ("key: a\nkey: b", "w.yaml:2"),
        ("- 1", "is a mapping"),
        ("", "there is nothing in it"),
        ("calendars: [{key: c, hours: {mon: '9 to 5'}}]", "are no hours"),
        ("a: &a [*a]", "w.yaml"),
        ("!!python/object/apply:os.system ['true']", "w.yaml"),
    ],
)  # fmt: skip
def test_each_mistake_has_its_file_line_and_value(
    session: Session, tmp_path: Path, text: str, words: str
) -> None:
    with pytest.raises(Invalid) as caught:
        check(session, read_text(tmp_path, text))
    assert words in str(caught.value).replace(str(tmp_path) + "/", "")


def test_all_mistakes_are_told_at_once_and_nothing_is_applied(session: Session, tmp_path: Path) -> None:
    read = read_text(tmp_path, "users: [{email: x}, {email: y, role: king}]\nforms: [{key: ok}]")
    with pytest.raises(Invalid) as caught:
        check(session, read)
    assert len(str(caught.value).splitlines()) == 3
    assert session.scalars(select(Source)).all() == []


def test_a_folder_is_one_document(session: Session, tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    (folder / "1.yaml").write_text("forms: [{key: a}]")
    (folder / "2.yaml").write_text("forms:\n  - {key: b}\n  - {key: b, redirect: x}")
    with pytest.raises(Invalid, match=r"2\.yaml:3: forms\[3\].redirect"):
        check(session, document.read(folder))
    (folder / "2.yaml").write_text("forms: [{key: b}]")
    values: Any = check(session, document.read(folder)).stored
    assert [f["key"] for f in values["forms"]] == ["a", "b"]


def test_the_example_is_right(session: Session) -> None:
    example = Path(__file__).parents[2] / "examples" / "workspace.yaml"
    apply(session, check(session, document.read(example)), by="test")
    assert ruleset.active(session) is not None


@pytest.mark.parametrize(
    "ended", ["when: lead.score < 50", "once: 7 days", "stop_when: lead.score > 50", "active: false"]
)
def test_a_circle_of_rules_that_may_end_is_taken(session: Session, ended: str) -> None:
    rules = f"  - {{name: r, on: lead.created, {ended}, do: [{{start_rule: r}}]}}"
    configure_in(session, rules=rules)


def test_where_the_installation_sends_into_its_own_network_such_addresses_are_taken(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTARIA_PRIVATE_DESTINATIONS", "true")
    settings.cache_clear()
    configure_in(session, WORKSPACE + "sms: {url: 'http://10.0.0.1/', body: {to: '{{ sms.to }}'}}\n")
    assert session.get_one(WorkspaceRow, 1).sms["url"] == "http://10.0.0.1/"
