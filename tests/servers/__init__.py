"""Real servers for tests, each on loopback and ended by whoever started it."""
