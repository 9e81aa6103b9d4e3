"""The door: everything that arrives is journalled here, understood, and handed over."""
