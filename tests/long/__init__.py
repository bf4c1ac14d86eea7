"""Checks that take longer than a test may: `python -m tests.long PART`; `make long` runs every part."""
