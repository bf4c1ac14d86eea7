"""The REST interface of a portal, one module per family of methods."""
