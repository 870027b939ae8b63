"""Clouds of points that the tests of the metrics share."""

import torch


def gaussian(n, seed, shift=0.0, scale=1.0, dims=5):
    """(n, dims) normal numbers, float64."""
    g = torch.Generator().manual_seed(seed)
    return shift + scale * torch.randn(n, dims, generator=g, dtype=torch.float64)


def turn(dims, seed):
    """A random rotation (or reflection), (dims, dims)."""
    return torch.linalg.qr(gaussian(dims, seed, dims=dims)).Q
