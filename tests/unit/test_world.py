"""Stories of the whole system: what a police unit is told is what a plain comparison of everybody's files gives."""
