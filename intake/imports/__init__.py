"""Files of leads: read row by row, whatever they are, and made into what a lead needs. Pure."""
