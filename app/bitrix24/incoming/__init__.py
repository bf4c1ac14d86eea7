"""What a portal sends, decoded: posted forms, ended calls, rows of the statistics. Pure."""
