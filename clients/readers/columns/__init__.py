"""What the columns of a table hold: told by a person, or guessed from their names, shown and confirmed."""
