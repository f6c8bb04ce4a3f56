"""The broker: matches what contributors deposited with what requesters may ask; decides and records each step."""
