"""Change the key of the holder's own log, in the form of the broker's (decisions 18 and 47).

`change` does the operator's steps, by `rotation` (the log in the database) and `chain_file` (the proof to hand out).
"""
