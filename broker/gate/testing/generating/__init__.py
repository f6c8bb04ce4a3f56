"""Boundary cases made anew: candidates from stories, numbers, tables and the prover, and which of them are kept."""
