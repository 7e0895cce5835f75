"""Show, Attend and Tell (Xu et al. 2015): look at a photograph again for every word, and describe it in a sentence."""
