"""At which noise levels do a network and its steps lose quality? Real images are noised to a level and sampled from there: only what
is done below that level can spoil them.
"""

import math

from torch import Tensor

from ...errors import CourseError
from ...guidance import clip
from ...noise import Noise
from ...schedules import karras
from ..drawing import Samples, draw_by
from ..quality import in_turn, quality
from .equal_cost import STEPS, affordable, evaluations_of
from .lab import Lab
from .study import SEEDS, Row, Study, for_seeds

MODELS = {
    "mnist-edm": "mnist",
    "mnist-edm-long": "mnist",
    "fashion-mnist-edm": "fashion-mnist",
    "fashion-mnist-edm-low-noise": "fashion-mnist",  # what differs from the one above: training's noise levels
    "fashion-mnist-edm-pixels": "fashion-mnist",  # and, besides, no patches
    "fashion-mnist-edm-muon": "fashion-mnist",  # and, besides, another optimizer, at its own rate
    "fashion-mnist-edm-fine": "fashion-mnist",  # both, with other noise levels, twice the weights and twenty times the images
}
BY_HEUN = ("fashion-mnist-edm", "fashion-mnist-edm-muon", "fashion-mnist-edm-fine")
"""Sampled without fresh noise, too."""
EVALUATIONS = 40  # of the whole grid
LEVELS = (0.03, 0.1, 0.3, 1.0, 3.0, 80.0)  # of sigma; at the last as good as nothing is left of the images
N = 1000  # samples a row
NONE = "none"
"""In place of a model, at sigma = 0: the images as they are. Their distance is what remains when nothing is lost."""


def samples(row: Row, lab: Lab) -> Samples:
    """Training images at the grid's level that is nearest to the row's sigma, and from there the row's steps without guidance.

    They are others than the images of `quality`'s floor, and as many. Without a model: the images themselves. Raises CourseError where a row wants more than there are.
    """
    real = lab.pictures(row["data"])
    order, n = in_turn(real), row["n"]
    if 2 * n > len(order):
        raise CourseError(f"n: got {n}, want at most {len(order) // 2}, half the images that lie ready")
    rows = order[n : 2 * n]
    images, labels = (of[rows].to(lab.device) for of in (real.images, real.labels))
    if row["model"] == NONE:
        return Samples(images, labels)
    model, grid = lab.network(row["model"], row["training seed"]), grid_from(row["sigma"], row["sampler"])
    step = STEPS[row["sampler"]]
    eps = Noise(row["seed"]).randn(*images.shape, device=lab.device)
    start = images / grid[0] + eps  # in units of the noise, as `draw_by` wants it
    return Samples(draw_by(lambda y: (clip(model.given(y)), step), start, labels, grid, row["seed"]), labels)


def grid_from(sigma: float, sampler: str) -> Tensor:
    """The Karras grid that the evaluations pay for, from the level that is nearest to sigma on a logarithmic scale."""
    grid = karras(affordable(sampler, EVALUATIONS)[0])
    first = (grid[:-1].log() - math.log(sigma)).abs().argmin()
    return grid[int(first) :]


def measure(row: Row, lab: Lab) -> Row:
    """Quality of a row's images, and the level that they were sampled from."""
    made = samples(row, lab)
    begun, evaluations = 0.0, 0
    if row["model"] != NONE:
        grid = grid_from(row["sigma"], row["sampler"])
        begun, evaluations = float(grid[0]), evaluations_of(row["sampler"], len(grid) - 1)
    score = quality(made.images, made.labels, row["data"], lab.device)
    return {"from": round(begun, 4), "nfe": evaluations, **score}


STUDIES = {
    "noise-levels": Study(
        what=f"Real images noised to sigma and sampled from there, {EVALUATIONS} evaluations for the whole grid: where distance arises",
        settings=for_seeds(
            {"model": model, "data": data, "sampler": sampler, "sigma": sigma, "n": N}
            for model, data in MODELS.items()
            for sampler in ("eta 1", "heun")
            if sampler == "eta 1" or model in BY_HEUN
            for sigma in LEVELS
        )
        + for_seeds(
            (
                {"model": NONE, "data": data, "sampler": NONE, "sigma": 0.0, "n": N}
                for data in dict.fromkeys(MODELS.values())
            ),
            seeds=SEEDS[:1],
        ),
        measure=measure,
    )
}
