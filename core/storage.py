"""Files outside the database: a folder, or a bucket that speaks S3. Keys are ours and never a sender's."""

from __future__ import annotations

from functools import lru_cache
from typing import IO

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, MemoryStore, ObjectStore, S3Store

from core.errors import NotFound, Unavailable
from core.settings import settings


@lru_cache(maxsize=4)
def _store(address: str) -> ObjectStore:
    if address.startswith("file://"):
        return LocalStore(address.removeprefix("file://"), mkdir=True)
    if address.startswith("memory://"):
        return MemoryStore()
    # Keys, region and endpoint come from the usual AWS_ variables.
    return S3Store.from_url(
        address, client_options={"timeout": "20s", "connect_timeout": "5s", "allow_http": True}
    )


def _here() -> ObjectStore:
    return _store(settings().storage)


def put(key: str, content: bytes) -> None:
    """Keeps the content under this key; what was there before is replaced.

    Raises Unavailable where the storage does not take it.
    """
    try:
        obstore.put(_here(), key, content)
    except (BaseError, OSError) as error:
        raise Unavailable(f"the storage does not take the file: {_words(error)}") from None


def put_file(key: str, content: IO[bytes]) -> None:
    """Keeps what can be read from here on, never whole in memory.

    Raises Unavailable where the storage does not take it.
    """
    try:
        obstore.put(_here(), key, content)
    except (BaseError, OSError) as error:
        raise Unavailable(f"the storage does not take the file: {_words(error)}") from None


def fetch(key: str, into: IO[bytes]) -> None:
    """Writes the content there, piece by piece. Raises NotFound, or Unavailable."""
    try:
        for piece in obstore.get(_here(), key).stream():
            into.write(piece)
    except FileNotFoundError:
        raise NotFound("the file is not there any more") from None
    except (BaseError, OSError) as error:
        raise Unavailable(f"the storage does not answer: {_words(error)}") from None


def get(key: str) -> bytes:
    """The content. Raises NotFound, or Unavailable where the storage does not answer."""
    try:
        return bytes(obstore.get(_here(), key).bytes())
    except FileNotFoundError:
        raise NotFound("the file is not there any more") from None
    except (BaseError, OSError) as error:
        raise Unavailable(f"the storage does not answer: {_words(error)}") from None


def get_part(key: str, start: int, end: int) -> bytes:
    """The content from `start` to before `end`. Raises as `get` does."""
    try:
        return bytes(obstore.get_range(_here(), key, start=start, end=end))
    except FileNotFoundError:
        raise NotFound("the file is not there any more") from None
    except (BaseError, OSError) as error:
        raise Unavailable(f"the storage does not answer: {_words(error)}") from None


def delete(key: str) -> None:
    """Removes it; does nothing where it is gone already."""
    try:
        obstore.delete(_here(), key)
    except FileNotFoundError:
        pass
    except (BaseError, OSError) as error:
        raise Unavailable(f"the storage does not answer: {_words(error)}") from None


def _words(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:200]
