"""The frame of every request: parts, session, language, headers, refusals, places."""
