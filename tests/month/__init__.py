"""A month of a portal beside Callbook, in a minute: whatever is lost, late or killed, the log is complete."""
