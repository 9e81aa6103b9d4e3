"""Changes of the schema, each safe beside the release before it."""
