"""What a browser meets: pages, sessions, the JSON API, live updates, health."""
