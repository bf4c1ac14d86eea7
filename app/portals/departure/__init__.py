"""The ways in which a portal leaves: uninstall, silence, erasure."""
