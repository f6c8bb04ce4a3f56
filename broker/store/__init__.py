"""The broker's tables and queries, and its database."""
