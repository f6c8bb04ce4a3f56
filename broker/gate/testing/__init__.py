"""Tests of a bundle of rules: stories, boundary cases, and mutants that these must tell from the rules as written.

Rule (issue 4): a scenario names the outcome and exactly the rules that decide; at least 95% of all mutants that differ
from the rules are told apart by one. The gate decides without this package.
"""
