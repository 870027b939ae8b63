"""What others released, read as strangers' files: NVIDIA's EDM checkpoints, and networks of diffusers."""
