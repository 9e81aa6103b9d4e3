"""What browsers are told to forbid."""

from __future__ import annotations

from flask import Response, request

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "img-src 'self'",
        "media-src 'self'",
        "script-src 'self'",
        "connect-src 'self'",
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


def with_frame(page: str) -> Response:
    """A page of ours with a frame in it that holds something of ours, too."""
    response = Response(page)
    response.headers["Content-Security-Policy"] = f"{_POLICY}; frame-src 'self'"
    return response


def framed(document: str, *, pictures: bool) -> Response:
    """What somebody else wrote, for a frame of ours: no script, no form, nothing fetched unasked."""
    response = Response(document)
    response.headers["Content-Security-Policy"] = "; ".join(
        (
            "default-src 'none'",
            "style-src 'unsafe-inline'",
            f"img-src data:{' https: http:' if pictures else ''}",
            "form-action 'none'",
            "base-uri 'none'",
            "frame-ancestors 'self'",
            "sandbox allow-popups allow-popups-to-escape-sandbox",
        )
    )
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def page_headers(response: Response) -> Response:
    """For the console's answers: our own scripts only, nothing from elsewhere, no frame, no cached copy."""
    basic_headers(response)
    response.headers.setdefault("Content-Security-Policy", _POLICY)
    if request.endpoint != "console.static":
        response.headers["Cache-Control"] = "no-store"
    return response
