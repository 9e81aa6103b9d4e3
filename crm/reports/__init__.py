"""Reports: what is counted in the database, set out as tables."""
