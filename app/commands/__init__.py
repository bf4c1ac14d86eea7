"""The commands behind `python -m app`."""
