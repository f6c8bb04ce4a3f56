"""What a requester checks before it believes: a permit, a disclosure, a refusal, an opened record, its root."""
