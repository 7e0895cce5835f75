"""What every Saccade system shares: the recurrent contract, the one loop over time, and the training pipeline."""
