"""The log: taking in events, reading the portals' statistics, showing calls to viewers."""
