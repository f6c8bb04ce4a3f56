"""How a contributor deposits: a series is dealt, records are masked, declared and sent, and what it keeps of them."""
