"""One call: its side panel and its recordings."""
