"""The surface over HTTP: events, pages, sessions, the JSON API, live updates, health."""
