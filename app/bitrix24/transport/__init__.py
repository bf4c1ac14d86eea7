"""Outbound HTTP: to checked addresses only, with bounded answers."""
