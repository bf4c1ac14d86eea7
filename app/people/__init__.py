"""The users of a portal, and who may see whose calls."""
