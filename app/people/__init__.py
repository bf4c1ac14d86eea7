"""The users of a portal, and the rule about the calls that each may see."""
