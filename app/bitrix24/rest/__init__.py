"""Requests to a portal's REST and to the authorization server."""
