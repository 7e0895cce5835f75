"""The four special symbols, which every vocabulary has as its first. Torch-free."""

PAD, UNKNOWN, BEGIN, END = 0, 1, 2, 3
"""Numbers of the padding, of what the vocabulary does not hold, and of the beginning and the end of a sentence."""

SPECIAL = ("<pad>", "<unk>", "<s>", "</s>")
"""Their spellings."""

NEVER_WRITTEN = (PAD, UNKNOWN, BEGIN)
"""Symbols that no written sentence holds."""
