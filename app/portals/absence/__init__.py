"""Portals that are gone, silent or forgotten: their notes, and the rules that judge them."""
