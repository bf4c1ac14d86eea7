"""A month of a portal beside Callbook, in a minute: after all that is lost, late or killed, the log is
complete.
"""
