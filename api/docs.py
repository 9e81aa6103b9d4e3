"""The OpenAPI document, and a page to browse it that loads nothing from elsewhere."""

from __future__ import annotations

from importlib.resources import files

from flask import Blueprint, Response, current_app, jsonify

docs = Blueprint(
    "api_docs",
    __name__,
    url_prefix="/api",
    static_folder=str(files("flask_openapi3_swagger").joinpath("templates", "swagger")),
    static_url_path="/docs/assets",
)

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Portaria API</title>
<link rel="icon" href="/api/docs/assets/images/swagger.svg">
<link rel="stylesheet" href="/api/docs/assets/css/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/api/docs/assets/js/swagger-ui-bundle.js"></script>
<script src="/api/docs/start.js"></script>
</body>
</html>
"""
_START = """SwaggerUIBundle({
  url: "/api/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  presets: [SwaggerUIBundle.presets.apis],
  validatorUrl: null
});
"""
# Swagger UI sets styles on its elements and draws its icons from data: addresses.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@docs.get("/openapi.json")
def document() -> Response:
    """The OpenAPI 3.1 document."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    return jsonify(app.api_doc)


@docs.get("/docs")
def browse() -> Response:
    """The document as a page (Swagger UI)."""
    page = Response(_PAGE, mimetype="text/html")
    page.headers["Content-Security-Policy"] = _POLICY
    return page


@docs.get("/docs/start.js")
def start() -> Response:
    """Starts Swagger UI; a file of its own, so that the page needs no script inside it."""
    return Response(_START, mimetype="text/javascript")
