"""DRAW (Gregor et al. 2015): writes an image step by step through a moving window."""
