"""Forms: what a website hands over."""
