"""How addresses are written: the short way for plain ones says what the library says."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from crm.contact_points import _checked, email_address

_DOMAINS = st.sampled_from(
    [
        "client.test",
        "Exämple.com",
        "gmail.com",
        "local",
        "x.invalid",
        "a..b",
        "-a.com",
        "a-.com",
        "1.2.3.4",
        "xn--bcher-kva.example",
        "[1.2.3.4]",
        f"{'b' * 63}.com",
        f"{'b' * 64}.com",
        "CLIENT.Test",
        " a.com",
        "",
    ]
)


@given(st.text(alphabet="ab.-_+Z9@ é\"<>'", max_size=8), _DOMAINS | st.text(max_size=8))
@example("a" * 64, "client.test")
@example("a" * 65, "client.test")
@example("a", "b." * 120 + "test")
def test_a_plain_address_is_judged_as_the_library_judges_it(local: str, domain: str) -> None:
    address = f"{local}@{domain}"
    assert email_address(address) == _checked(address.strip())
