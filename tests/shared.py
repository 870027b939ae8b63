"""What tests share: seeded draws, comparison, a mixture with a formula, a network that answers what it is told, an exercise more."""

import math

import numpy as np
import torch
from torch import Tensor, nn

from diffusion_course import Noise
from diffusion_course.classroom import checks
from diffusion_course.classroom.ids import chapter_of
from diffusion_course.denoisers import GaussianMixture

F64 = torch.float64


def draws(*shape, seed=0, per_sample=True):
    """Standard normal numbers, float64."""
    return Noise(seed, per_sample).randn(*shape, dtype=F64)


def close(a, b, tolerance=1e-10):
    """Assert that two tensors, arrays or numbers agree, in absolute or relative terms."""
    a, b = (x.detach() if isinstance(x, Tensor) else x for x in (a, b))
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def mixture(*event, K=3):
    """K Gaussians in a space of the given shape, float64."""
    return GaussianMixture(
        draws(K, *event, seed=7), 0.2 + draws(K, seed=8).abs(), 0.1 + draws(K, seed=9).abs()
    )


class Net(nn.Module):
    """Answers what it is told, and remembers what it was asked."""

    def __init__(self, answer=None):
        super().__init__()
        self.answer, self.seen = answer, None

    def forward(self, x, c_noise, labels=None):
        self.seen = (x, c_noise, labels)
        return x if self.answer is None else self.answer


def random_token_model(shape=(8,), states=3, seed=3):
    """A network's stand-in: logits that depend on every token."""
    n = math.prod(shape)
    weight = Noise(seed).randn(n * (states + 1), n * states, dtype=F64)

    def model(x):
        seen = torch.nn.functional.one_hot(x.flatten(1), states + 1).double().flatten(1)
        return (seen @ weight).reshape(*x.shape, states)

    return model


def add_exercise(patch, check):
    """Put an exercise among those of its chapter, or in the place of its namesake, until the patch is undone."""
    for table in (checks.CHECKS, checks.TASKS):
        chapter = chapter_of(check.id)
        patch.setitem(table.read, chapter, table.of(chapter) | {check.id: check})
