"""REST v1 and its OpenAPI document, the operator's endpoints, and the tokens that open the API."""

from api.app import mount, openapi_document

__all__ = ["mount", "openapi_document"]
