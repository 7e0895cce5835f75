"""Translation: an encoder reads a sentence both ways; a decoder writes it in another language, with attention."""
