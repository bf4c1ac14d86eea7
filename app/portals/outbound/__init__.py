"""Our requests to a portal: rate, access, moves, and the log of requests."""
