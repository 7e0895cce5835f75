"""Track: follow one thing through a video, from a box around it in the first frame."""
