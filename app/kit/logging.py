"""Logging by structlog: one line an event, to stdout, with nothing in it that must stay secret."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

# What a secret or a number looks like, wherever it stands: the last lock behind "never pass one to the log".
_SECRET_KEY = re.compile(
    r"token|secret|password|auth_id|refresh|authorization|phone|encryption", re.IGNORECASE
)
_SECRET_VALUE = re.compile(
    r"(?P<name>(?:auth|access_token|refresh_token|client_secret|application_token|AUTH_ID|REFRESH_ID)"
    r"(?:\]|%5D)?[=:]\s*)[^\s&\"']+|(?<![\w.:-])\+?\d[\d ()-]{7,}\d(?![\w.:-])",
    re.IGNORECASE,
)
_SAFE_KEYS = frozenset(
    {"timestamp", "portal_id", "token_state", "token_version", "refreshed", "level", "event"}
)


def configure_logging(log_format: str, level: str, *, to_stderr: bool = False) -> None:
    """Route structlog and the standard library to one stream in `console` or `json` form."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty())
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr if to_stderr else sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.root.handlers = [handler]
    logging.root.setLevel(level.upper())
    for name in ("httpx", "httpcore", "uvicorn.access", "apscheduler", "aiosqlite", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)  # httpx writes whole addresses, tokens and all.


def redact(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blot out values under telling names, and whatever looks like a token or a phone number in any text."""
    for key, value in event.items():
        if key in _SAFE_KEYS and key != "event":
            continue
        if _SECRET_KEY.search(key):
            event[key] = "…"
        elif isinstance(value, str):
            event[key] = _SECRET_VALUE.sub(lambda match: (match["name"] or "") + "…", value)
    return event
