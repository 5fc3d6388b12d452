"""Drawing only, one module per analysis: what a plot shows stands in a result."""
