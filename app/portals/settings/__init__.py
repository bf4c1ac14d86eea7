"""The settings of a portal's administrators, its quotas, and the set of users with visible calls."""
