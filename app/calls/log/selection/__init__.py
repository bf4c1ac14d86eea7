"""Which calls a request asks for, in which order, and which of them the viewer may see."""
