"""The log as its viewers read it, and nothing that they may not see."""
