"""What becomes of a posted form: its fields, its mistakes, its person."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import clock
from core.errors import Refused, Unreadable
from intake.delivery import Delivery
from intake.forms import checks
from intake.forms.body import MOST_FIELDS, _pairs, read
from intake.forms.names import meaning
from intake.forms.settings import FormSettings
from intake.forms.web_form import WebForm

URLENCODED = "application/x-www-form-urlencoded"
FORM = WebForm()
OPEN = FormSettings(key="open")
DECLARED = FormSettings.model_validate(
    {
        "key": "contact",
        "fields": [
            {"name": "name", "required": True},
            {"name": "mail", "type": "email", "required": True},
            {"name": "phone", "type": "phone"},
            {"name": "employees", "type": "number"},
            {"name": "day", "type": "date"},
            {"name": "plan", "type": "select", "choices": ["S", "M"]},
            {"name": "terms", "type": "consent", "required": True},
            {"name": "message", "type": "textarea", "max_length": 20},
        ],
    }
)
GOOD = {"name": "Ana", "mail": "ana@client.test", "terms": "on"}


def delivery(body: bytes, content_type: str = URLENCODED, **headers: str) -> Delivery:
    return Delivery(
        body=body,
        content_type=content_type,
        received_at=clock.now(),
        url="https://in.acme.test/in/forms/open",
        headers=headers,
    )


def parse(body: bytes, content_type: str = URLENCODED, form: FormSettings = OPEN, **headers: str) -> Any:
    return FORM.parse(delivery(body, content_type, **headers), form)


def test_the_person_is_found_by_the_names_people_use() -> None:
    found = parse(
        b"nome=Jo%C3%A3o+Concei%C3%A7%C3%A3o&email=joao%40exemplo.pt&telefone=912+345+678"
        b"&mensagem=Gostava+de+um+or%C3%A7amento.%0D%0AObrigado%21&empresa=Lda&utm_source=google&gclid=Cj0&rgpd=on"
        b"&cor=azul&cor=verde&website=",
        referer="https://www.example.com/contact?utm_source=ref&utm_medium=cpc",
    )
    assert (found.name, found.emails, found.phones) == (
        "João Conceição",
        ("joao@exemplo.pt",),
        ("912 345 678",),
    )
    assert (found.company, found.message) == ("Lda", "Gostava de um orçamento.\nObrigado!")
    assert found.attribution == {
        "page_url": "https://www.example.com/contact?utm_source=ref&utm_medium=cpc",
        "utm_source": "google",
        "utm_medium": "cpc",
        "gclid": "Cj0",
    }
    assert found.consent is True
    assert found.fields == {"cor": "azul, verde"}
    assert found.extra == {}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("your-email", "email"),
        ("E-Mail-Adresse", "email"),
        ("form_fields[email]", "email"),
        ("Correo electrónico", "email"),
        ("Teléfono", "phone"),
        ("Telefonnummer", "phone"),
        ("Vorname", "first_name"),
        ("Apellidos", "last_name"),
        ("Société", "company"),
        ("Nachricht", "message"),
        ("Datenschutz", "consent"),
        ("wpforms[fields][3]", None),
        ("owner", None),
    ],
)
def test_names_in_five_languages_are_known(name: str, expected: str | None) -> None:
    assert meaning(name) == expected


def test_an_address_is_found_by_its_shape_where_the_name_says_nothing() -> None:
    assert parse(b"wpforms[fields][1]=ana%40client.test").emails == ("ana@client.test",)


def test_json_and_multipart_say_the_same() -> None:
    document = {
        "first_name": "Ana",
        "last_name": "Lima",
        "contact": {"email": "ana@client.test"},
        "n": 3,
        "ok": True,
    }
    found = parse(json.dumps(document).encode(), "application/json")
    assert (found.name, found.emails, found.fields) == (
        "Ana Lima",
        ("ana@client.test",),
        {"n": 3, "ok": True},
    )
    body = (
        b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\nAna Lima\r\n'
        b'--x\r\nContent-Disposition: form-data; name="email"\r\n\r\nana@client.test\r\n'
        b'--x\r\nContent-Disposition: form-data; name="cv"; filename="../../etc/passwd"\r\n'
        b"Content-Type: text/plain\r\n\r\nroot\r\n--x--\r\n"
    )
    found = parse(body, "multipart/form-data; boundary=x")
    assert (found.name, found.emails) == ("Ana Lima", ("ana@client.test",))
    assert [(f.field, f.name, f.content) for f in found.files] == [("cv", "../../etc/passwd", b"root")]


def test_declared_fields_go_where_they_are_declared_and_others_are_kept() -> None:
    found = parse(
        b"name=Ana&mail=a%40b.test&employees=1.5&plan=M&terms=on&shoe=42&email=other%40b.test", form=DECLARED
    )
    assert found.emails == ("a@b.test",)
    assert found.fields == {"employees": 1.5, "plan": "M"}
    assert found.extra == {"shoe": "42", "email": "other@b.test"}
    assert found.consent is True


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"name": " "}, "name", "fill in"),
        ({"mail": "nobody"}, "mail", "e-mail address"),
        ({"mail": "a@b.test\r\nBcc: x@y.test"}, "mail", "e-mail address"),
        ({"phone": "ring me"}, "phone", "telephone"),
        ({"employees": "many"}, "employees", "number"),
        ({"day": "31.12.2026"}, "day", "date"),
        ({"plan": "XL"}, "plan", "choose"),
        ({"message": "x" * 21}, "message", "at most 20"),
    ],
)
def test_each_mistake_names_its_field(change: dict[str, str], field: str, words: str) -> None:
    posted = read(json.dumps(GOOD | change).encode(), "application/json")
    found = checks.mistakes(posted, DECLARED, "BR")
    assert list(found) == [field]
    assert words in found[field]


def test_a_right_form_has_no_mistakes_and_a_strange_number_is_kept() -> None:
    posted = read(
        json.dumps(GOOD | {"phone": "0800 extension 12", "employees": "1,5"}).encode(), "application/json"
    )
    assert checks.mistakes(posted, DECLARED, "BR") == {}


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"[1]", "application/json", 400),
        (b"null", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"a":' * 30 + b"1" + b"}" * 30, "application/json", 400),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "application/json", 400),
        (json.dumps({str(n): n for n in range(MOST_FIELDS + 1)}).encode(), "application/json", 400),
        (b"&".join(b"a%d=1" % n for n in range(10_000)), URLENCODED, 400),
        (b"--x\r\nContent-Disposition: form-data; name=a", "multipart/form-data; boundary=x", 400),
        (b"no boundary", "multipart/form-data", 400),
        (b"--x\r\n" * 5000, "multipart/form-data; boundary=x", 400),
        (b"name=x", "text/plain", 415),
        (b"name=x", "", 415),
        (b"<a/>", "application/xml", 415),
    ],
    ids=lambda v: str(v)[:20],
)
def test_what_is_malformed_is_refused(body: bytes, content_type: str, status: int) -> None:
    with pytest.raises(Refused) as caught:
        read(body, content_type)
    assert caught.value.status == status
    with pytest.raises(Unreadable):
        parse(body, content_type)


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (b"name=%00a%07b%C2%85c", URLENCODED, "abc"),
        (b"name=%FF%FE", URLENCODED, "��"),
        (b"name=Jos%E9", URLENCODED + "; charset=iso-8859-1", "José"),
        (b"name=Jos%E9&_charset_=iso-8859-1", URLENCODED, "José"),
        (b"name=Jos\xc3\xa9", URLENCODED, "José"),
        (b'{"name": "a\\ud800b"}', "application/json", "a�b"),
        (b'{"name": "a", "name": "b"}', "application/json", "b"),
        (b"name=a&name=a", URLENCODED, "a"),
        (b"name=<script>alert(1)</script>", URLENCODED, "<script>alert(1)</script>"),
        (b"name==HYPERLINK(1)", URLENCODED, "=HYPERLINK(1)"),
        (b"name=a%0d%0aSet-Cookie:x", URLENCODED, "a Set-Cookie:x"),
    ],
)
def test_hostile_text_is_stored_harmless(body: bytes, content_type: str, expected: str) -> None:
    assert parse(body, content_type).name == expected


def test_owner_status_source_and_score_never_come_out_of_a_body() -> None:
    found = parse(
        b"name=x&owner=ana&owner_id=1&status=converted&source=y&score=99&lead[score]=5&files[0][filepath]=/etc/passwd"
    )
    assert found.fields == {}
    assert found.extra["score"] == "99"


def test_the_same_content_has_the_same_key_whatever_its_encoding() -> None:
    one = delivery(b"name=Ana&email=a%40b.test")
    two = delivery(b'{"name": "Ana", "email": "a@b.test"}', "application/json")
    three = delivery(b"name=Ana&email=b%40b.test")
    keys = [FORM.keys(d, read(d.body, d.content_type)) for d in (one, two, three)]
    assert keys[0] == keys[1] != keys[2]
    told = delivery(b"x=1", **{"idempotency-key": "k-1"})
    assert FORM.keys(told, read(told.body, URLENCODED)) == ("told:k-1", None)


def test_a_script_of_another_site_is_refused_where_sites_are_named() -> None:
    form = FormSettings(key="f", allowed_origins=["https://www.acme.test"])
    FORM.verify(delivery(b"", origin="https://www.acme.test"), form)
    FORM.verify(delivery(b"", origin="https://in.acme.test"), form)
    FORM.verify(delivery(b""), form)
    with pytest.raises(Refused) as caught:
        FORM.verify(delivery(b"", origin="https://evil.test"), form)
    assert caught.value.status == 403


@given(st.text(alphabet="ab=&%4é+%C3 ;\x00", max_size=30), st.sampled_from(["utf-8", "windows-1252"]))
def test_a_body_is_decoded_as_the_standard_library_does(text: str, codec: str) -> None:
    assert list(_pairs(text, codec)) == parse_qsl(text, keep_blank_values=True, encoding=codec)
