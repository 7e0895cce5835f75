"""Comparison of recurrent cores: the quality, time and size of each, and how far back its gradient reaches."""
