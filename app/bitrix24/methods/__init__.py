"""The REST methods that Callbook calls, one family a module."""
