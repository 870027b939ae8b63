"""The rows of exact denoisers in the table at equal cost: of MNIST's 60,000 digits, given their classes, and CIFAR-10's 50,000 pictures.

Both data sets are blurred with N(0, BLUR^2 I): bare pictures would be met exactly by every sampler that ends at the same one. The
denoiser's products and weights are float64 on every device, so that its own error stays below 1e-10, far under that of any sampler; a
GPU without fast float64 is slower, and no less exact. One evaluation of 64 states of CIFAR-10 is 4e10 operations.
"""

import torch
from torch import Tensor

from ...denoisers import DatasetDenoiser, Denoiser, blurred
from ...noise import Noise, mix
from ...samplers import sample
from ..noise_ahead import NoiseAhead
from ..quality import quality
from .equal_cost import BUDGETS, GRIDS, NOISELESS, STEPS, affordable, converged, distances
from .lab import Lab
from .study import Row

BLUR = 0.1
DATA = {"exact mnist": "mnist", "exact cifar10": "cifar10"}
N = {"exact mnist": 256, "exact cifar10": 64}  # states at once
ROWS = (
    ("euler", "karras"),
    ("eta 0.5", "karras"),
    ("eta 1", "karras"),
    ("euler", "uniform"),
    ("euler", "quadratic"),
    ("heun", "karras"),
    ("churn", "karras"),
    ("dpmpp_2m", "karras"),
)
PERFECT = "perfect"  # pictures of the set, blurred: what a sampler without any error draws
CHUNK = 512  # pictures whose distances are in memory at once


def settings() -> list[Row]:
    """Every sampler at every budget, and the perfect one; noise of one seed, since no training is in it."""
    rows = [(sampler, grid, evaluations) for sampler, grid in ROWS for evaluations in BUDGETS]
    return [
        {
            **{"model": model, "sampler": sampler, "grid": grid, "evaluations": evaluations},
            **{"n": N[model], "training seed": 0, "seed": 0},
        }
        for model in DATA
        for sampler, grid, evaluations in [(PERFECT, "none", 0), *rows]
    ]


def measure(row: Row, lab: Lab) -> Row:
    """Distance to the converged solution, where there is one, and to the nearest picture; for digits also what the judge says.

    nearest: the mean over samples of the rms distance per pixel to the nearest picture, BLUR for perfect samples. Less is
    variance that the sampler lost, more is a blend of pictures.
    """
    made = images(row, lab)
    pictures = _pictures(row, lab)
    near = nearest(made, pictures)
    error = near.std().item() / len(near) ** 0.5
    result: Row = {
        "nearest": float(f"{near.mean().item():.5g}"),
        "nearest standard error": float(f"{error:.3g}"),
    }
    if row["sampler"] in NOISELESS:
        result |= distances(made, _solution(row, lab))
    if (labels := _labels(row, lab)) is not None:
        result |= quality(made.clamp(-1, 1).float(), labels, "mnist", lab.device)
    if row["sampler"] == PERFECT:
        return {"steps": 0, "nfe": 0, **result}
    steps, nfe = affordable(row["sampler"], row["evaluations"])
    return {"steps": steps, "nfe": nfe, **result}


def images(row: Row, lab: Lab) -> Tensor:
    """The samples of a row, float64."""
    on_the_way = NoiseAhead(mix(mix(row["seed"]) + 1), draws=row["evaluations"])
    if row["sampler"] == PERFECT:
        pictures, labels = _pictures(row, lab), lab.pictures(DATA[row["model"]]).labels
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(row["seed"]))
        wanted = _labels(row, lab)
        rows = order[: row["n"]] if wanted is None else _of_classes(order, labels, wanted.cpu())
        chosen = pictures[rows.to(lab.device)].double()
        return chosen + BLUR * on_the_way.like(chosen)
    steps, _ = affordable(row["sampler"], row["evaluations"])
    sigmas, step = GRIDS[row["grid"]](steps), STEPS[row["sampler"]]
    return sample(denoiser(row, lab), sigmas[0] * _start(row, lab), sigmas, step, on_the_way)


def denoiser(row: Row, lab: Lab) -> Denoiser:
    """The exact denoiser of the row's blurred pictures: of digits given the classes 0, 1, ... in turn."""

    def make() -> Denoiser:
        pictures, labels = _pictures(row, lab), _labels(row, lab)
        of_labels = lab.pictures(DATA[row["model"]]).labels.to(lab.device)
        bare = DatasetDenoiser(pictures, of_labels)
        return blurred(bare if labels is None else bare.given(labels), BLUR)

    return lab.kept(("exact", row["model"], row["n"]), make)


def nearest(made: Tensor, pictures: Tensor) -> Tensor:
    """The rms distance per pixel of each sample (N, *S) to the nearest of the pictures (M, *S): (N,), float64."""
    flat = made.flatten(1).double()
    parts = [torch.cdist(flat, some.flatten(1).double()).amin(1) for some in pictures.split(CHUNK)]
    return torch.stack(parts).amin(0) / flat.shape[1] ** 0.5


def _solution(row: Row, lab: Lab) -> Tensor:
    sigma = GRIDS[row["grid"]](BUDGETS[0])[0].item()
    key = ("solution", row["model"], row["n"], row["seed"], sigma)
    return lab.kept(key, lambda: converged(denoiser(row, lab), _start(row, lab), sigma))


def _start(row: Row, lab: Lab) -> Tensor:
    shape = _pictures(row, lab).shape[1:]
    return Noise(row["seed"]).randn(row["n"], *shape, device=lab.device, dtype=torch.float64)


def _pictures(row: Row, lab: Lab) -> Tensor:
    name = DATA[row["model"]]
    return lab.kept(("on device", name), lambda: lab.pictures(name).images.to(lab.device))


def _labels(row: Row, lab: Lab) -> Tensor | None:
    """The classes of the digits; CIFAR-10's pictures are drawn without."""
    return torch.arange(row["n"], device=lab.device) % 10 if DATA[row["model"]] == "mnist" else None


def _of_classes(order: Tensor, labels: Tensor, wanted: Tensor) -> Tensor:
    """The first pictures of the order that have the wanted classes, one after the other."""
    of_class = {c: order[labels[order] == c] for c in wanted.unique().tolist()}
    seen = dict.fromkeys(of_class, 0)
    rows = []
    for c in wanted.tolist():
        rows.append(of_class[c][seen[c]])
        seen[c] += 1
    return torch.stack(rows)
