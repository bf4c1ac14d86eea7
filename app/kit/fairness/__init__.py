"""Turns, places and budgets, so that no portal keeps the others waiting."""
