"""How a requester asks: what it keeps of a request, what key holders and contributors answer, and what follows."""
