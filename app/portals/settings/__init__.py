"""What a portal's administrators have set, what it may store, and whose calls a user may see."""
