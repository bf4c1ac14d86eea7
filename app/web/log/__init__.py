"""The log's page: its filters, columns, views, summary and live updates."""
