"""Tenants: installation, verification, the token vault, refresh, uninstall."""
