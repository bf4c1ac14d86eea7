"""Verified events and rows of the statistics that could not be decoded."""
