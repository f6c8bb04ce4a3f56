"""The draw: an auditor orders that a requester opens some of what it asked, and checks what was opened."""
