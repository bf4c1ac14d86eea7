"""How far each portal's statistics are read, which ids and which moment are next, and which process reads."""
