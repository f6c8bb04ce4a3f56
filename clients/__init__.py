"""Everybody but the broker: contributors, requesters, key holders, witnesses, auditors; and the command line."""
