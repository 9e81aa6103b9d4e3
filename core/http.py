"""Outgoing HTTP, the one client for it: bounded in time and size, and never into our own network.

A name is resolved once, every address it has is checked, and the connection goes to an address that
was checked, so that a name which answers differently the second time gains nothing. Redirects are not
followed.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import httpcore
import httpx

from core import clock
from core.addresses import is_public
from core.errors import NotSent, Permanent, Retry
from core.settings import settings

_TIMEOUT = httpx.Timeout(15, connect=5)
_TIMEOUT_WHOLE = 30.0
_MOST_ANSWER = 64 * 1024
_MOST_REDIRECTS = 5


class _GuardedBackend(httpcore.SyncBackend):
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        address = public_address(host, port)
        return super().connect_tcp(address, port, timeout, local_address, socket_options)


def public_address(host: str, port: int) -> str:
    """An address of this host to connect to.

    Raises Permanent where any of its addresses is not one of the public internet, NotSent where the
    name cannot be resolved now.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise NotSent(f"{host} cannot be resolved: {error}") from None
    addresses = [str(entry[4][0]).split("%", 1)[0] for entry in found]
    if not settings().private_destinations:
        for address in addresses:
            if not is_public(address):
                raise Permanent(f"{host} is an address of a private network; nothing is sent there")
    return addresses[0]


def _client() -> httpx.Client:
    transport = httpx.HTTPTransport(retries=0)
    transport._pool = httpcore.ConnectionPool(  # httpx offers no other way to set the backend
        ssl_context=httpx.create_ssl_context(),
        max_connections=20,
        network_backend=_GuardedBackend(),
    )
    return httpx.Client(transport=transport, timeout=_TIMEOUT, follow_redirects=False, trust_env=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered, whatever it was; header names in lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str]


def exchange(
    method: str, url: str, headers: Mapping[str, str], *, content: bytes = b"", most: int = _MOST_ANSWER
) -> Answer:
    """One request and its answer, of which at most so many bytes.

    Raises NotSent where the other side was surely not reached, Retry where it may have been and did not
    answer, Permanent for an address that is not to be used, or an answer that is larger.
    """
    end = clock.monotonic() + _TIMEOUT_WHOLE
    try:
        with _client() as client, client.stream(method, url, headers=dict(headers), content=content) as got:
            return Answer(got.status_code, _whole(got, most, end), dict(got.headers))
    except httpx.InvalidURL as error:
        raise Permanent(f"the address cannot be used: {error}") from None
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as error:
        raise NotSent(f"not reached: {type(error).__name__} {error}") from None
    except httpx.HTTPError as error:
        raise Retry(f"no answer: {type(error).__name__} {error}") from None


def post(url: str, content: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    """Posts and returns the status, and of the answer at most the first 64 KiB.

    Raises Retry where trying again may help, Permanent where it will not.
    """
    return _request("POST", url, headers, content=content)


def ask(url: str, headers: dict[str, str], *, form: Mapping[str, str] | None = None) -> bytes:
    """What is answered to a GET, or to a POST of a form, at most 64 KiB of it. Raises as `post` does."""
    if form is None:
        return _request("GET", url, headers)[1]
    return _request("POST", url, headers, data=dict(form))[1]


def submit(url: str, form: Mapping[str, str]) -> tuple[int, bytes]:
    """Status and answer, at most 64 KiB, to a POST of a form; one that says no (4xx) is an answer, too.

    Raises as `post` does for everything else.
    """
    return _request("POST", url, {"Accept": "application/json"}, most_status=499, data=dict(form))


def download(
    url: str, headers: Mapping[str, str], *, may: Callable[[str], bool], most: int, seconds: float = 120
) -> bytes:
    """The whole content of a file of at most so many bytes.

    `may` says whether an address may be asked; `headers` go to the first host alone. Raises as `post` does,
    and Permanent for a file that is larger.
    """
    first = httpx.URL(url).host
    end = clock.monotonic() + seconds
    for _ in range(_MOST_REDIRECTS):
        if not may(url):
            raise Permanent("it lies at an address that is not the provider's")
        sent = dict(headers) if httpx.URL(url).host == first else {}
        try:
            with _client() as client, client.stream("GET", url, headers=sent) as answer:
                if answer.is_redirect:
                    url = str(httpx.URL(url).join(answer.headers.get("location", "")))
                    continue
                if answer.status_code != 200:
                    raise Retry(f"answered {answer.status_code}")
                return _whole(answer, most, end)
        except httpx.InvalidURL as error:
            raise Permanent(f"the address cannot be used: {error}") from None
        except httpx.HTTPError as error:
            raise Retry(f"no answer: {type(error).__name__} {error}") from None
    raise Permanent("it is redirected again and again")


def _whole(answer: httpx.Response, most: int, end: float) -> bytes:
    found = bytearray()
    for chunk in answer.iter_bytes(64 * 1024):
        found += chunk
        if len(found) > most:
            raise Permanent(f"larger than {most} bytes")
        if clock.monotonic() > end:
            raise Retry("it takes too long")
    return bytes(found)


def _request(
    method: str, url: str, headers: dict[str, str], *, most_status: int = 299, **body: Any
) -> tuple[int, bytes]:
    try:
        with _client() as client, client.stream(method, url, headers=headers, **body) as answer:
            found = bytearray()
            for chunk in answer.iter_bytes(4096):
                found += chunk
                if len(found) > _MOST_ANSWER:
                    break
            status = answer.status_code
    except httpx.InvalidURL as error:
        raise Permanent(f"the address cannot be used: {error}") from None
    except httpx.HTTPError as error:
        raise Retry(f"no answer: {type(error).__name__} {error}") from None
    if status in (408, 425, 429) or status >= 500:
        raise Retry(f"answered {status}")
    if status > most_status or 300 <= status < 400:
        raise Permanent(f"answered {status}")
    return status, bytes(found[:_MOST_ANSWER])
