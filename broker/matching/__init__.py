"""Where tokens meet records."""
