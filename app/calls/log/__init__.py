"""The log as its viewers read it: only calls that the viewer may see."""
