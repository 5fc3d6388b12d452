"""The analyses: each a plain function of a log that returns one result."""
