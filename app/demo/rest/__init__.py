"""The REST interface of a portal, one module for each family of methods."""
