"""Turns, places and budgets, so that nobody keeps the others waiting."""
