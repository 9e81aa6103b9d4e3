"""The web pages: what an agent sees of the leads. Rendered by the server, without a script."""

from console.app import mount
from console.headers import basic_headers

__all__ = ["basic_headers", "mount"]
