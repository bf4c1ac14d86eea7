"""The schema, step by step. Piccolo runs these migrations; CONTRIBUTING.md tells how to add one."""
