"""Reading the portal's own statistics: history, forward reads, comparison, lookups."""
