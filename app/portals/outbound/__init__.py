"""Requests of ours to a portal: rate, access, moves, the log of them."""
