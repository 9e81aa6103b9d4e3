"""The composition roots: one file a process, and the command line."""
