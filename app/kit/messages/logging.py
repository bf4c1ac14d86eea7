"""Logging by structlog: one line an event, to stdout, without secrets."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from app.kit.messages.redaction import redact
from app.kit.text import escape_text

_TRACES = frozenset({"exception", "stack"})  # The renderer puts their many lines below the line of the event.


def configure_logging(log_format: str, level: str, *, to_stderr: bool = False) -> None:
    """Route structlog and the standard library to one stream in `console` or `json` form."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    renderers: list[structlog.types.Processor] = (
        [structlog.processors.JSONRenderer()]  # It escapes every character outside printable ASCII.
        if log_format == "json"
        else [escape, structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty())]
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
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    logging.root.handlers = [handler]
    logging.root.setLevel(level.upper())
    for name in ("httpx", "httpcore", "uvicorn.access", "apscheduler", "aiosqlite", "asyncio", "piccolo"):
        logging.getLogger(name).setLevel(logging.WARNING)  # httpx writes whole addresses, with their tokens.


def escape(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Spell out, in every name and value, the characters that a terminal obeys; a processor for structlog.

    A value may be a stranger's text. A line break in it would make the rest look like a line of ours.
    """
    escaped: dict[str, Any] = {}
    for name, value in event.items():
        text = value if isinstance(value, str) else None
        if text is None:
            escaped[escape_text(name)] = value  # The renderer shows its repr, which is escaped.
        elif name in _TRACES:
            escaped[name] = "\n    ".join(map(escape_text, text.split("\n")))
        else:
            escaped[escape_text(name)] = escape_text(text)
    return escaped
