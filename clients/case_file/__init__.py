"""The case folder that a court is handed, and its verification by whoever gets it."""
