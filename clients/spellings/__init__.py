"""Other spellings of a person that a requester asks about."""
