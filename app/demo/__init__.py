"""A local stand-in for Bitrix24: authorization server, portals, parent frame, callers.

It imitates the vendor for the tests and for `make demo`. It is reached over real HTTP only and knows nothing
of Callbook: it imports only `app.kit` of the application, and the application never imports it.
"""
