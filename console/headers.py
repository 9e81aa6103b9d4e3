"""What browsers are told to forbid."""

from __future__ import annotations

from flask import Response, request

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "img-src 'self'",
        "media-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
BASIC_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def basic_headers(response: Response) -> Response:
    """Fits every answer of the service, whoever made it; what is set already stays."""
    for name, value in BASIC_HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def page_headers(response: Response) -> Response:
    """For the console's answers: no script, nothing from elsewhere, no frame, and no copy in a cache."""
    basic_headers(response)
    response.headers["Content-Security-Policy"] = _POLICY
    if request.endpoint != "console.static":
        response.headers["Cache-Control"] = "no-store"
    return response
