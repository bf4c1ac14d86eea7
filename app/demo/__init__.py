"""A local stand-in for Bitrix24: authorization server, portals, parent frame, callers.

It imitates the vendor for the tests and for `make demo`, is reached over real HTTP only, and knows
nothing of Callbook: besides `app.kit` it imports nothing of the application, and nothing imports it.
"""
