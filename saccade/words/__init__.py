"""Words: vocabularies, subwords, beam search, sampling and BLEU, for systems that write."""
