"""What the readers of STIX, MISP and ThreatExchange files are made of."""
