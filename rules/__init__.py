"""Deciding: what is to happen when something happened, and why. Touches nothing outside the database."""
