"""In which state a portal is, and at which address it is believed to be."""
