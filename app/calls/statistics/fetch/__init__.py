"""Pages of the statistics: asking for them in turns, and storing their rows."""
