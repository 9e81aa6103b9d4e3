"""Prints the OpenAPI document: `python -m api > docs/openapi.json`."""

from __future__ import annotations

import json
import sys

from flask_openapi3 import OpenAPI

from api.app import mount, openapi_document

if __name__ == "__main__":
    app = OpenAPI("portaria", doc_ui=False)
    mount(app)
    json.dump(openapi_document(app), sys.stdout, indent=2, sort_keys=True, ensure_ascii=False)
    sys.stdout.write("\n")
