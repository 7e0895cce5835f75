"""The Recurrent Attention Model (Mnih et al. 2014): reads an image by a few small glimpses."""
