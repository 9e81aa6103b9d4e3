"""Structured logs. What people sent us never reaches them unmasked."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_MAIL = re.compile(r"[^\s@<>\"']{1,64}@[\w.-]{1,255}")
_DIGITS = re.compile(r"\+?\d[\d ().-]{6,20}\d")
_ADDRESS = re.compile(r"\d{1,3}(\.\d{1,3}){3}")
_KEEP = frozenset({"event", "level", "timestamp", "logger", "process"})


def masked(text: str) -> str:
    """The text with e-mail addresses and telephone numbers made unreadable, and on one line."""
    text = _MAIL.sub(lambda m: f"{m[0][0]}***@***", text)
    text = _DIGITS.sub(lambda m: m[0] if _ADDRESS.fullmatch(m[0]) else f"***{m[0][-2:]}", text)
    return text.replace("\r", "\\r").replace("\n", "\\n")


def _mask_values(_: Any, __: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in entry.items():
        if name not in _KEEP and isinstance(value, str) and not name.endswith("_id"):
            entry[name] = masked(value)
    return entry


def configure(process: str, *, level: str = "info", form: str = "text") -> None:
    """Sends this process's logs to standard error, as text for people or as JSON for machines."""
    chain: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _mask_values,
    ]
    last: Any = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=chain,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for chatty in ("alembic", "apscheduler", "pika", "httpx", "httpcore", "imapclient"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *chain,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger for one module."""
    log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return log
