"""How much each portal stores, and whether it may store more."""
