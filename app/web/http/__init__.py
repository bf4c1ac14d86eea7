"""Around every request: parts, session, language, headers, refusals, places."""
