"""Calls, people and states as a person reads them."""
