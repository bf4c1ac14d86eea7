"""A portal's pair of tokens: when a new one is bought, and which key seals it."""
