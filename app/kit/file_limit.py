"""How many files this process may open, and how many of them may be connections of others."""

import sys

import structlog

if sys.platform != "win32":
    import resource

log = structlog.get_logger(__name__)
MOST_FILES = 65_536  # More is of no use to one process, and "unlimited" is no number to count with.
# For all else: three pools of 256 outbound connections, the database, exports, the program's own files.
RESERVED = 900
# Live streams, exports and recordings may take about 300 places; as many again are for whoever asks briefly.
ENOUGH_PLACES = 600


def raise_file_limit() -> None:
    """Take as many files as the system allows without being asked; the places that gives, if they are few."""
    if sys.platform == "win32":
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _as_number(hard)
    if _as_number(soft) < wanted:
        _raise_to(wanted, hard)
    if count_places() < ENOUGH_PLACES:
        log.warning("few files may be open: raise the limit (ulimit -n, LimitNOFILE=)", places=count_places())


def _raise_to(wanted: int, hard: int) -> None:
    """A system may call its limit "unlimited" and refuse the number all the same, as macOS does: then the
    limit stays as it is.
    """
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (ValueError, OSError) as error:
        log.warning("the system refuses to raise its limit of open files", wanted=wanted, error=str(error))


def count_places() -> int:
    """How many connections may be open: what is left of the files, but at least half of them."""
    if sys.platform == "win32":
        return MOST_FILES
    files = _as_number(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    return files - min(files // 2, RESERVED)


def _as_number(limit: int) -> int:
    return MOST_FILES if limit < 0 else min(limit, MOST_FILES)  # RLIM_INFINITY is -1.
