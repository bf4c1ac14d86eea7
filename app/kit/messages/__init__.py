"""What people and the log are told: refusals, texts in the reader's language, log lines."""
