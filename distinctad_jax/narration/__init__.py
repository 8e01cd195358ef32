"""From a trained model to sentences in time."""
