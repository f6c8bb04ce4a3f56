"""A Merkle log over a small storage interface, for broker, key holders and witnesses."""
