"""Looking over what a broker stored, backing it up, and putting it back."""
