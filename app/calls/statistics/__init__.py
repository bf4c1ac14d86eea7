"""Reading the portal's own statistics: history, what is new, comparison, lookups."""
