"""A call and its legs: their meaning, and how their rows are read and written."""
