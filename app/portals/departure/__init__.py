"""A portal leaves: it uninstalls, falls silent, is erased."""
