"""After the hit: from a disclosure of `sources` to the form in which the law wants the data asked for.

Rule: it fills in what the requester's own papers say and leaves the rest blank; it signs and sends nothing.
"""
