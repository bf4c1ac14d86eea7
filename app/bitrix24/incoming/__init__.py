"""Decoders for a portal's data: posted forms, ended calls, rows of the statistics. Pure."""
