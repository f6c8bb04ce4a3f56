"""The wire types: what parties write to one another, one module per subject.

Rule: every type is frozen, strict and closed (an unknown field is refused); bytes travel as lower-case hex when they
are names or digests, and as base64url without padding when they are blobs; times are whole Unix seconds, UTC, in
fields whose name ends in `_at`, `_from` or `_until`. `encode` is RFC 8785, so that equal values have equal bytes.
"""
