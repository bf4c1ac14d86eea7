"""A portal comes in: admission, verification, installation, the visit of a user."""
