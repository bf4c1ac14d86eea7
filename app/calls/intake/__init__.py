"""A call-end event, from its arrival until it is durable."""
