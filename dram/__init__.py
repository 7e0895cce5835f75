"""DRAM (Ba et al. 2015): glances at a picture, reads its digits one after another, and stops by itself."""
