"""Trained networks that come with Saccade, a folder each: weights, settings, metrics, learning curve, model card."""
