"""An auditor's copy of a log: kept, brought up to date, and derived again."""
