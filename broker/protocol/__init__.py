"""What all parties agree on: pure, without I/O and clock, and it imports nothing else of the project."""
