"""HTTP as it may leave this machine: checked addresses, bounded answers."""
