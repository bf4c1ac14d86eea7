"""The ways into Callbook: admission, verification, installation, the visit of a user."""
