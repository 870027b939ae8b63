"""What an experiment needs: data, training, shipped weights, metrics."""
