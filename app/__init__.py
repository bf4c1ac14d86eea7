"""Callbook: every call of a Bitrix24 portal, in one log."""
