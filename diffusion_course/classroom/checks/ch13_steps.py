"""Steps of training that are no plain gradient descent: each of these begins a step that remembers the ones before."""

from collections.abc import Callable, Sequence

from torch import Tensor

Weights = list[Tensor]
Step = Callable[[Weights, Weights, float], Weights]
"""(weights, their gradients, lr) -> the new weights."""


def downhill(w: Weights, slopes: Weights, lr: float) -> Weights:
    """Plain gradient descent."""
    return [a - lr * g for a, g in zip(w, slopes, strict=True)]


def _remembering(share: float) -> Step:
    """Steps along a sum of all gradients so far, each old one times `share` in every step."""
    total: Weights = []

    def move(w: Weights, slopes: Weights, lr: float) -> Weights:
        total[:] = [share * a + g for a, g in zip(total, slopes, strict=True)] if total else slopes
        return downhill(w, total, lr)

    return move


def adding_up() -> Step:
    """Gradients that are never set to 0."""
    return _remembering(1.0)


def momentum() -> Step:
    """SGD with momentum 0.9."""
    return _remembering(0.9)


def slowing_down() -> Step:
    """A rate of lr / k in step k."""
    count = [0]

    def move(w: Weights, slopes: Weights, lr: float) -> Weights:
        count[0] += 1
        return downhill(w, slopes, lr / count[0])

    return move


def adam() -> Step:
    """Adam with its usual numbers."""
    first: Sequence[Tensor] = []
    second: Sequence[Tensor] = []
    count = 0

    def move(w: Weights, slopes: Weights, lr: float) -> Weights:
        nonlocal first, second, count
        count += 1
        first = [0.9 * a + 0.1 * g for a, g in zip(first or [0 * g for g in slopes], slopes, strict=True)]
        second = [
            0.999 * a + 0.001 * g**2 for a, g in zip(second or [0 * g for g in slopes], slopes, strict=True)
        ]
        scale = [(b / (1 - 0.999**count)).sqrt() + 1e-8 for b in second]
        return [a - lr / (1 - 0.9**count) * m / s for a, m, s in zip(w, first, scale, strict=True)]

    return move


OTHER_STEPS = {
    "gradients that add up from step to step: set them to zero before each.": adding_up,
    "Adam's steps: here a step is minus lr times the gradient.": adam,
    "steps with momentum, which remember the gradients before: here a step is minus lr times the gradient.": momentum,
    "steps whose rate falls, lr / k in step k: lr stays the same.": slowing_down,
}
"""The hint of a mutant -> what begins its steps."""
