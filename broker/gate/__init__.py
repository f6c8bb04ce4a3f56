"""The gate: a decision as a pure function of facts and a bundle of rules."""
