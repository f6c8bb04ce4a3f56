"""The witness's tables and queries, and its database."""
