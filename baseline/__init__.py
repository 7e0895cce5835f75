"""Feed-forward baselines: the papers' fully connected and convolutional networks, and a strong small CNN."""
