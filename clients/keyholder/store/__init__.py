"""The key holder's tables and queries, and its database."""
