"""The pages that a portal opens in its frame."""
