"""Rows of a file as contacts, companies, deals and products: one file a kind, one way for all."""
