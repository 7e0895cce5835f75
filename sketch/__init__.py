"""sketch-rnn (Ha & Eck 2017): draws with a pen, move by move, and finishes a drawing that a person begins."""
