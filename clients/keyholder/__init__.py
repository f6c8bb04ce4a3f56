"""The key holder: a service that another party than the broker runs. It decides again before it evaluates.

A request's way through it: `app` -> `api.authentication` -> `checks` -> `evaluation` (durable charge, then answer).
"""
