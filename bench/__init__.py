"""How fast the real service is, beside what the machine itself can do, measured in the same run."""
