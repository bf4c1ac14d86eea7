"""How far each portal's statistics are read, which ids come next, when, and which process reads them."""
