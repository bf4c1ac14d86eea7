"""Which calls are asked for, in which order, and which of them the viewer may see."""
