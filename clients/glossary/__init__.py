"""What the words of the program mean, in plain English."""
