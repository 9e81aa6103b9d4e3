"""Webhooks out: a JSON document with an id that stays the same over all attempts."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from core import clock, http
from core.ids import digest
from rules.order import WebhookOrder


def send(order: WebhookOrder) -> str:
    """Posts the document and says so in words.

    Raises Retry or Permanent. The headers' names are those of Standard Webhooks.
    """
    content = json.dumps(dict(order.payload), default=str).encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Portaria",
        "webhook-id": f"msg_{digest(order.webhook_id)[:32]}",
        "webhook-timestamp": str(int(clock.now().timestamp())),
    }
    status = http.post(order.url, content, headers)
    return f"{urlsplit(order.url).hostname} answered {status}"
