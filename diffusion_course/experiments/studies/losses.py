"""L_simple against the hybrid loss, at an equal budget of training: bits/dim, and samples with fewer steps than were trained.

Both networks predict eps on the cosine schedule with T = 1000; one is trained to answer its variances as well (Nichol & Dhariwal
2021). The other one is sampled with each of the two fixed variances.
"""

from torch import Tensor

from ...denoisers import Denoiser, Preconditioned, split_variance
from ...guidance import clip
from ...samplers import Step, ddpm, ddpm_large, ddpm_learned
from ...schedules import NoiseSchedule, cosine, uniform_timesteps
from ..drawing import draw, draw_by, initial
from ..noise_ahead import NoiseAhead
from ..quality import quality
from .bound import bounds, eps_model
from .lab import Lab
from .schedules import test_images
from .study import Row, Study, for_seeds

COSINE = NoiseSchedule.from_betas(cosine(1000))
SIMPLE, HYBRID = "mnist-eps-cosine", "mnist-learned-variance"
FIXED: dict[str, Step] = {"small": ddpm, "large": ddpm_large}
N = 250  # samples a row
IMAGES = 150  # of the test set, for the bound
WAYS = ((SIMPLE, "small"), (SIMPLE, "large"), (HYBRID, "small"), (HYBRID, "large"), (HYBRID, "learned"))


def measure(row: Row, lab: Lab) -> Row:
    """The bound on test images where a row has no steps; else the quality of its samples."""
    if row["steps"] is None:
        return measure_bound(row, lab)
    made = images(row, lab)
    labels = initial(_network(row, lab), row["n"], 0, lab.device)[1]
    return quality(made, labels, "mnist", lab.device)


def measure_bound(row: Row, lab: Lab) -> Row:
    """Loss and bits/dim of one network, under each variance that it has."""
    network = _network(row, lab)
    x0, labels = test_images("mnist", row["n"], row["seed"], lab.device)
    return bounds(eps_model(network, labels), x0, COSINE, NoiseAhead(row["seed"], draws=COSINE.T))


def images(row: Row, lab: Lab) -> Tensor:
    """Ancestral samples on evenly spaced ones of the 1000 times, with the row's variance."""
    network = _network(row, lab)
    sigmas = COSINE.grid(uniform_timesteps(COSINE.T, row["steps"]))
    n, seed = row["n"], row["seed"]
    if row["variance"] in FIXED:
        step = FIXED[row["variance"]]
        return draw(network, n, sigmas=sigmas, step=step, seed=seed, device=lab.device).images

    def learned(labels: Tensor) -> tuple[Denoiser, Step]:
        D, v = split_variance(eps_model(network, labels), COSINE)
        return clip(D), ddpm_learned(v)

    start, labels = initial(network, n, seed, lab.device)
    return draw_by(learned, start, labels, sigmas, seed)


def _network(row: Row, lab: Lab) -> Preconditioned:
    """The row's network; both must have one recipe, so that their budgets are equal."""
    return lab.network(row["model"], row.get("training seed", 0), twin=SIMPLE)


def _settings() -> list[Row]:
    bound = [{"model": model, "variance": None, "steps": None, "n": IMAGES} for model in (SIMPLE, HYBRID)]
    ways = [(way, steps) for steps in (25, 100) for way in WAYS]
    ways += [((SIMPLE, "small"), 1000), ((HYBRID, "learned"), 1000)]
    return bound + [
        {"model": model, "variance": variance, "steps": steps, "n": N} for (model, variance), steps in ways
    ]


STUDIES = {
    "losses": Study(
        what="L_simple against the hybrid loss on MNIST: the bound, and ancestral samples from 1000 steps down to 25",
        settings=for_seeds(_settings()),
        measure=measure,
    )
}
