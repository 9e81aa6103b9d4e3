"""A visitor's country is told only where the operator has put a database for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from core.settings import settings
from intake import whereabouts
from models.inbound import EventState
from models.lead import Lead


@pytest.fixture
def countries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type="Country")
    writer.insert_network(IPSet(["203.0.113.0/24"]), {"country": {"iso_code": "PT"}})
    writer.insert_network(IPSet(["2001:db8::/32"]), {"country": {"iso_code": "BR"}})
    writer.insert_network(IPSet(["198.51.100.0/24"]), {"country": {"iso_code": 7}, "continent": {}})
    file = tmp_path / "countries.mmdb"
    writer.to_db_file(str(file))
    monkeypatch.setenv("PORTARIA_COUNTRY_DATABASE", str(file))
    settings.cache_clear()
    yield file
    settings.cache_clear()


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("203.0.113.7", "PT"),
        ("2001:db8::1", "BR"),
        ("198.51.100.1", None),
        ("192.0.2.1", None),
        ("127.0.0.1", None),
        ("", None),
        ("unknown", None),
        ("1.2.3", None),
    ],
)
def test_a_country_of_an_address(countries: Path, address: str, code: str | None) -> None:
    assert whereabouts.country(address) == code


def test_without_a_database_nothing_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert whereabouts.country("203.0.113.7") is None
    broken = tmp_path / "broken.mmdb"
    broken.write_bytes(b"not a database")
    for path in (broken, tmp_path / "missing.mmdb"):
        monkeypatch.setenv("PORTARIA_COUNTRY_DATABASE", str(path))
        settings.cache_clear()
        assert whereabouts.country("203.0.113.7") is None
    monkeypatch.undo()
    settings.cache_clear()


def test_it_stands_on_the_lead(
    client: FlaskClient,
    countries: Path,
    process: Callable[[], list[tuple[EventState, str | None]]],
    leads: Callable[[], list[Lead]],
) -> None:
    settings.cache_clear()
    client.post(
        "/in/forms/open",
        json={"name": "Ana", "email": "ana@client.test", "ip_country": "US"},
        environ_overrides={"REMOTE_ADDR": "203.0.113.9"},
    )
    assert process() == [(EventState.PROCESSED, None)]
    assert leads()[0].attribution["ip_country"] == "PT"
