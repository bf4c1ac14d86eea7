"""The texts of the application and their catalogues: `make words` brings these up to date."""
