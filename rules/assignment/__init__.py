"""Who gets the lead: who may have it now, whose turn it is, and what becomes of a lead nobody can take."""
