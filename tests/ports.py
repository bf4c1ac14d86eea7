"""Ports for the servers of tests, which the system gives to no other server before they listen.

The system gives ports from 32,768 upward to servers that ask for any, so these lie below. Each worker of
pytest-xdist chooses from a range of its own, and each process begins at a random place in it.
"""

import itertools
import os
import random
import socket

FIRST, PER_WORKER, WORKERS = 10_000, 2_000, 11
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", f"gw{WORKERS - 1}").removeprefix("gw")) % WORKERS
_steps = itertools.count(random.randrange(PER_WORKER))


def free_port() -> int:
    """A free port of this worker's range; the same port does not come again for a long time."""
    for step in itertools.islice(_steps, PER_WORKER):
        port = FIRST + _worker * PER_WORKER + step % PER_WORKER
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no free port for a test on 127.0.0.1")
