"""The log: ingest, statistics, queries."""
