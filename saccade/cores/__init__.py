"""The recurrent core on show: what a core remembers, how far back its loss reaches, and which one to take."""
