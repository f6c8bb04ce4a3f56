"""Mutants of a bundle: its rules and tables with one slip in them."""
