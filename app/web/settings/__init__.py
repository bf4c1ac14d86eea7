"""The page of the portal's settings."""
