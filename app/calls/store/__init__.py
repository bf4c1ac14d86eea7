"""A call and its legs: what they are, and how their rows are read and written."""
