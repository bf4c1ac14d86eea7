"""Pages of the statistics: how they are asked for, in turns, and how their rows are stored."""
