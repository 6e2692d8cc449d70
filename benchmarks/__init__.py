"""What the course costs, measured beside what else a user would pick."""
