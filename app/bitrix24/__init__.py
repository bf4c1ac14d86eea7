"""Bitrix24's protocol and nothing of ours: what it sends, what it answers, how it may be reached."""
