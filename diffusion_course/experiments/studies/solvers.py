"""Samplers at equal cost, in one table: judged by their samples, and by the distance to the converged solution from the same noise.

The table answers two common claims, that Euler and EDM are alike and that DDIM needs 1000 steps, at equal numbers of evaluations
of the denoiser (NFE). On one grid Euler in sigma *is* DDIM with eta = 0, so DDIM appears as Euler on DDIM's grids of time, and
ancestral sampling (DDPM) as eta = 1. The rows of exact denoisers have no network, and so no error but the sampler's.
"""

import torch
from torch import Tensor

from ...guidance import clip
from ..drawing import Samples, draw, initial
from ..metrics import count_recognised
from ..quality import quality
from . import exact_solvers
from .equal_cost import BUDGETS, GRIDS, NOISELESS, STEPS, affordable, converged, distances, full_precision
from .equal_cost import straight as straight
from .lab import Lab
from .study import Row, Study, for_seeds

ROWS = (
    ("mnist-edm", "euler", "karras"),
    ("mnist-edm", "eta 0.5", "karras"),
    ("mnist-edm", "eta 1", "karras"),
    ("mnist-edm", "euler", "uniform"),
    ("mnist-edm", "euler", "quadratic"),
    ("mnist-edm", "euler", "straight"),
    ("mnist-edm", "heun", "karras"),
    ("mnist-edm", "churn", "karras"),
    ("mnist-edm", "dpmpp_2m", "karras"),
    ("mnist-flow", "euler", "straight"),
    ("mnist-eps-cosine", "euler", "cosine uniform"),
    ("mnist-eps-cosine", "eta 1", "cosine uniform"),
)
N = 300  # samples a row
FIRST = 60  # samples that a notebook can make again
COMPARED = 100  # samples whose distance to the converged solution is measured


def samples(row: Row, n: int | None = None, device: torch.device | str = "cpu") -> Samples:
    """The images of a row of trained weights, or its first n: the same up to rounding, each with a noise stream of its own."""
    return images(row, Lab(torch.device(device)), n)


def images(row: Row, lab: Lab, n: int | None = None) -> Samples:
    """The images of a row with the networks of a lab."""
    steps, _ = affordable(row["sampler"], row["evaluations"])
    return draw(
        lab.network(row["model"], row.get("training seed", 0)),
        n or row["n"],
        sigmas=GRIDS[row["grid"]](steps),
        step=STEPS[row["sampler"]],
        seed=row["seed"],
        device=lab.device,
    )


def measure(row: Row, lab: Lab) -> Row:
    """A row of trained weights, or of an exact denoiser."""
    with full_precision():
        return (
            exact_solvers.measure(row, lab)
            if row["model"] in exact_solvers.DATA
            else measure_quality(row, lab)
        )


def measure_quality(row: Row, lab: Lab) -> Row:
    """What the judge says of a row's images, and how far the first of them are from the converged solution, where there is one.

    distance: the median over COMPARED samples of the root mean square over pixels; distances: of each.
    """
    made = images(row, lab)
    steps, nfe = affordable(row["sampler"], row["evaluations"])
    first = count_recognised(lab.judge("mnist"), made.images[:FIRST], made.labels[:FIRST])
    score = quality(made.images, made.labels, "mnist", lab.device)
    result = {"steps": steps, "nfe": nfe, f"recognised of the first {FIRST}": first, **score}
    if row["sampler"] in NOISELESS:
        few = made.images[:COMPARED]
        result |= distances(few, solution(row, lab, len(few)))
    return result


def solution(row: Row, lab: Lab, n: int) -> Tensor:
    """What the first n samples of a row tend to as steps shrink, from the same noise at the same first sigma: see `converged`."""
    sigma = GRIDS[row["grid"]](BUDGETS[0])[0].item()
    model, seed = row["model"], row.get("training seed", 0)
    network = lab.network(model, seed)

    def solve() -> Tensor:
        start, labels = initial(network, n, row["seed"], lab.device)
        return converged(clip(network.given(labels)), start, sigma).clamp(-1, 1)

    return lab.kept(("solution", model, seed, row["seed"], n, sigma), solve)


def whole_table() -> list[Row]:
    """Every sampler at every budget."""
    return [
        {"model": model, "sampler": sampler, "grid": grid, "evaluations": evaluations, "n": N}
        for model, sampler, grid in ROWS
        for evaluations in BUDGETS
    ]


STUDIES = {
    "solvers": Study(
        what="Samplers at equal numbers of evaluations: class-conditional MNIST digits of trained weights, and exact denoisers",
        settings=[*for_seeds(whole_table()), *exact_solvers.settings()],
        measure=measure,
    )
}
