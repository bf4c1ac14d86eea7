"""Texts for people and for the log: refusals, texts in the reader's language, log lines."""
