"""Networks that look once: the papers' fully connected and convolutional baselines, and a strong small CNN."""
