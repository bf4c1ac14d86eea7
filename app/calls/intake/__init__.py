"""A call-end event until it is durable."""
