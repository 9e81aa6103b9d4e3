"""Webhooks out: a JSON document with an id that stays the same over all attempts."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from core import clock, http
from core.ids import digest
from rules.order import WebhookOrder


def send(order: WebhookOrder) -> tuple[str, object]:
    """Posts the document; says so in words, with what the answer says as JSON, or None.

    Raises Retry or Permanent. The headers' names are those of Standard Webhooks.
    """
    content = json.dumps(dict(order.payload), default=str).encode()
    headers = {
        **order.headers,
        "Content-Type": "application/json",
        "User-Agent": "Portaria",
        "webhook-id": f"msg_{digest(order.webhook_id)[:32]}",
        "webhook-timestamp": str(int(clock.now().timestamp())),
    }
    status, body = http.post(order.url, content, headers)
    try:
        answer: object = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    return f"{urlsplit(order.url).hostname} answered {status}", answer
