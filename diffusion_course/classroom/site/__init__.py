"""The web edition: both editions of the chapters as pages that need neither a kernel nor a network."""
