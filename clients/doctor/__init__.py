"""What `narrowgate doctor` looks at: the machine, a home, the services of its spaces, and what is left to do."""
