"""The state of a portal, and the address that is believed to be its own."""
