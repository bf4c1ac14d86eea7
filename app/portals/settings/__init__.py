"""The settings of a portal's administrators, its quotas, and the form of "may see whose calls"."""
