"""The schema, step by step. Piccolo runs these; see CONTRIBUTING.md for how to add one."""
