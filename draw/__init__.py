"""DRAW (Gregor et al. 2015): write an image step by step through a moving window."""
