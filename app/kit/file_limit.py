"""How many files this process may open, and how many of them may be incoming connections."""

import sys

import structlog

if sys.platform != "win32":
    import resource

log = structlog.get_logger(__name__)
# One process has no use for more. It also stands in for an unlimited number, because `count_places` needs a
# number.
MOST_FILES = 65_536
# For everything else: three pools of 256 outbound connections, the database, exports, the program's own
# files.
RESERVED = 900
# Live streams, exports and recordings may take about 300 places; 300 more are for brief requests.
ENOUGH_PLACES = 600


def raise_file_limit() -> None:
    """Raise this process's limit of open files as far as the system allows; warns in the log when even then
    there are few places for connections.
    """
    if sys.platform == "win32":
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _as_number(hard)
    if _as_number(soft) < wanted:
        _raise_to(wanted, hard)
    if count_places() < ENOUGH_PLACES:
        log.warning("few files may be open: raise the limit (ulimit -n, LimitNOFILE=)", places=count_places())


def _raise_to(wanted: int, hard: int) -> None:
    """Raise the limit, or leave it as it is when the system refuses. (macOS calls its limit "unlimited", but
    refuses `wanted`.)
    """
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (ValueError, OSError) as error:
        log.warning("the system refuses to raise its limit of open files", wanted=wanted, error=str(error))


def count_places() -> int:
    """How many incoming connections may be open: the files less RESERVED, but at least half of the files."""
    if sys.platform == "win32":
        return MOST_FILES
    files = _as_number(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    return files - min(files // 2, RESERVED)


def _as_number(limit: int) -> int:
    return MOST_FILES if limit < 0 else min(limit, MOST_FILES)  # RLIM_INFINITY is -1.
