"""The audit log of the broker: what is recorded of which step, and the receipt of it."""
