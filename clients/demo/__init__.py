"""`narrowgate demo`: the whole story, told by the real commands in separate processes on this machine.

Rule: every figure is computed in the run, and every party acts through the command that it would use in life. All
names and numbers come from ranges reserved for fiction (Ofcom's drama numbers, example.org).
"""
