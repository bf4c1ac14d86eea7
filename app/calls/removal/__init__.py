"""Removing calls: those that a portal keeps no longer, and all calls of a portal."""
