"""What an auditor finds in mirrored logs: anomalies, reports, reconciliation, search."""
