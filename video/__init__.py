"""Video: say what is happening in a clip, frame by frame, or what comes next."""
