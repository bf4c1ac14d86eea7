"""Bitrix24's protocol and nothing of ours: its messages, its answers, the way to its servers."""
