"""A witness of logs (C2SP tlog-witness): it remembers the newest checkpoint of each log and cosigns what continues it.

It sees sizes and roots, never an entry.
"""
