"""The key holder's door."""
