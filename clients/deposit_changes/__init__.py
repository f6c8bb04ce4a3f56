"""What becomes of a deposit later: records are taken back, replaced, kept out, released, or follow a nightly file."""
