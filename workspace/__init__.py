"""All configuration as one document: read, checked, compared, applied, and written back out."""
