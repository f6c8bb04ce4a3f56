"""What persons may do: consent, follow, contest and take back what is theirs, and ask what is held about them."""
