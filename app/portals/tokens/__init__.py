"""A portal's pair of tokens: when a new one is bought, and under which key it is sealed."""
