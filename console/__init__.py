"""The web pages: what an agent sees of the leads. Rendered by the server, without a script."""

from console.app import mount, renew
from console.headers import BASIC_HEADERS, basic_headers

__all__ = ["BASIC_HEADERS", "basic_headers", "mount", "renew"]
