"""Logging by structlog: one line an event, to stdout, with nothing in it that must stay secret."""

import logging
import sys

import structlog

from app.kit.redaction import redact


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
    for name in ("httpx", "httpcore", "uvicorn.access", "apscheduler", "aiosqlite", "asyncio", "piccolo"):
        logging.getLogger(name).setLevel(logging.WARNING)  # httpx writes whole addresses, tokens and all.
