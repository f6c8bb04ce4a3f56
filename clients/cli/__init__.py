"""`narrowgate ...`: each command parses, calls, and prints."""
