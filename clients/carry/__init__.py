"""Store and forward: calls of this party as files on a stick, where there is no network."""
