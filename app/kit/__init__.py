"""Tools that know nothing of calls or portals: clock, crypto, database, text, logging, metrics."""
