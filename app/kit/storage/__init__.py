"""One database, SQLite or PostgreSQL, and the statements that both understand."""
