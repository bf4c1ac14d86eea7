"""Removing calls: those that are too old, and all of a portal."""
