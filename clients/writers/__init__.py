"""What leaves a home in the formats of other programs.

Rule: one writer a format, and one for all CSV. A writer is given values and returns text: it opens no file, reads no
clock and draws nothing, so that writing twice gives the same bytes.
"""
