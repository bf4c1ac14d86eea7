"""Portals that are gone, silent or forgotten: what is known of them, and what it means."""
