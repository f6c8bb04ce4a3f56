"""What a solver can say about rules for all facts at once."""
