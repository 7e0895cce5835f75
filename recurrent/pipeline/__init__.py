"""The stages from data to pictures: data, train, checkpoint, evaluate, animate. They meet through files."""
