"""The log as a file: CSV and XLSX of exactly the calls that a list shows."""
