"""Looking at an image by small glimpses, for every system that does: retina, glimpse network, REINFORCE."""
