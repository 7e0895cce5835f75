"""What a few glimpses buy over a network that sees everything at once: the benchmark, and a page that shows it."""
