"""Benchmarks: each figure beside its limit, in one run. ``python -m tests.bench``."""
