"""What takes longer than a test may: `python -m tests.long PART`; `make long` runs every part."""
