"""Samplers at equal cost: "solvers" judges their samples, "ddim-steps" measures DDIM's distance to the converged solution.

Both answer two common claims, that Euler and EDM are alike and that DDIM needs 1000 steps, at equal numbers of network
evaluations (NFE). On one grid Euler in sigma *is* DDIM with eta = 0, so DDIM appears as Euler on DDIM's grids of time,
and ancestral sampling (DDPM) as DDIM with eta = 1.
"""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from ...denoisers import DatasetDenoiser, Denoiser
from ...noise import Noise
from ...samplers import Step, ddim, dpmpp_2m, edm, euler, heun, sample
from ...schedules import NoiseSchedule, karras, linear, quadratic, quadratic_timesteps, uniform_timesteps
from ...shapes import number
from .. import data, zoo
from ..drawing import Samples, draw
from ..metrics import count_recognised
from ..quality import quality, share
from .study import Row, Study

LINEAR = NoiseSchedule.from_betas(linear(1000))
BLUR = 0.1  # of the exact denoiser's data

GRIDS: dict[str, Callable[[int], Tensor]] = {
    "karras": karras,
    "uniform": lambda n: LINEAR.grid(uniform_timesteps(1000, n)),
    "quadratic": lambda n: LINEAR.grid(quadratic_timesteps(1000, n)),
    "straight": lambda n: straight(n),
}

STEPS: dict[str, Callable[[int], Step]] = {
    "euler": lambda n: euler,
    "eta 1": lambda n: ddim(1.0),
    "heun": lambda n: heun,
    # The settings that Karras et al. 2022, table 5, give for ImageNet.
    "churn": lambda n: edm(40, 0.05, 50, 1.003, num_steps=n),
    "dpmpp_2m": lambda n: dpmpp_2m(),
}

ROWS = (
    ("mnist-edm", "euler", "karras"),
    ("mnist-edm", "eta 1", "karras"),
    ("mnist-edm", "euler", "uniform"),
    ("mnist-edm", "euler", "quadratic"),
    ("mnist-edm", "euler", "straight"),
    ("mnist-edm", "heun", "karras"),
    ("mnist-edm", "churn", "karras"),
    ("mnist-edm", "dpmpp_2m", "karras"),
    ("mnist-flow", "euler", "straight"),
)


def straight(n: int, sigma_max: float = 80.0) -> Tensor:
    """n + 1 sigmas from sigma_max to 0, evenly spaced in t = sigma / (1 + sigma), the time of the straight path. float64."""
    t = torch.linspace(sigma_max / (1 + sigma_max), 0, n + 1, dtype=torch.float64)
    return t / (1 - t)


def affordable(sampler: str, evaluations: int) -> tuple[int, int]:
    """The most steps that a number of evaluations pays for, and how many they take: Heun's N steps take 2 N - 1."""
    if sampler not in ("heun", "churn"):
        return evaluations, evaluations
    steps = (evaluations + 1) // 2
    return steps, 2 * steps - 1


def samples(row: Row, n: int | None = None, device: torch.device | str = "cpu") -> Samples:
    """The images of a row of "solvers", or its first n: the same up to rounding, since each has a noise stream of its own."""
    steps, _ = affordable(row["sampler"], row["evaluations"])
    return draw(
        zoo.load(row["model"], device),
        n or row["n"],
        sigmas=GRIDS[row["grid"]](steps),
        step=STEPS[row["sampler"]](steps),
        seed=row["seed"],
        device=device,
    )


def measure_quality(row: Row, device: torch.device) -> Row:
    """What the judge says of a row's images, and how many of the first 60 it recognises (for a quick re-check)."""
    made = samples(row, device=device)
    steps, nfe = affordable(row["sampler"], row["evaluations"])
    first = count_recognised(zoo.judge("mnist", device), made.images[:60], made.labels[:60])
    score = quality(made.images, made.labels, "mnist", device)
    return {"steps": steps, "nfe": nfe, "recognised of the first 60": first, **score}


def ddim_grid(name: str, n: int) -> Tensor:
    """DDIM's n steps from sigma_1000 to sigma_1 of the linear schedule, spaced as `name` says, then 0.

    "own betas" is another thing: the n steps of a quadratic schedule with T = n and the beta_max of T = 1000. For small n
    it stops adding noise long before the image is gone.
    """
    if name == "own betas":
        return NoiseSchedule.from_betas(quadratic(n)).grid()
    if name == "karras":
        return karras(n, LINEAR.sigmas[0].item(), LINEAR.sigmas[-1].item())
    return GRIDS[name](n)


def blurred(images: Tensor, h: float) -> Denoiser:
    """The exact denoiser of images (N, *S) plus N(0, h^2 I): smooth down to sigma = 0, where that of bare images snaps.

    x is then an image plus noise of variance s^2 = sigma^2 + h^2, of which the share h^2 / s^2 belongs to x_0.
    """
    bare = DatasetDenoiser(images)

    def D(x: Tensor, sigma: Tensor | float) -> Tensor:
        variance = number(sigma) ** 2 + h**2
        image = bare(x, variance.sqrt())
        return image + h**2 / variance * (x - image)

    return D


def denoiser(name: str, n: int, device: torch.device) -> Denoiser:
    """ "exact", of 1,000 blurred images of mnist-5k; or trained weights, given the classes 0, 1, ... in turn."""
    if name == "exact":
        return blurred(data.load("mnist-5k", limit=1000).images.double().to(device), BLUR)
    return zoo.load(name, device).given(torch.arange(n, device=device) % 10)


def solve(row: Row, sigmas: Tensor, device: torch.device, step: Step = euler, n: int | None = None) -> Tensor:
    """The row's samples (or its first n) on a grid, float64: the same noise for every grid, scaled by its first sigma."""
    n = n or row["n"]
    start = Noise(row["seed"]).randn(n, 1, 28, 28, device=device, dtype=torch.float64)
    return sample(denoiser(row["denoiser"], n, device), sigmas[0] * start, sigmas, step)


@cache
def converged(name: str, n: int, seed: int, device: torch.device) -> Tensor:
    """What the samples tend to as steps shrink: Heun on the Karras grid with 200 steps, 399 evaluations."""
    row = {"denoiser": name, "n": n, "seed": seed}
    return solve(row, ddim_grid("karras", 200), device, heun)


def measure_error(row: Row, device: torch.device, n: int | None = None) -> Row:
    """The distance of each DDIM sample (or the first n) to its converged solution, a root mean square over pixels.

    For trained weights also the judge's count.
    """
    n = n or row["n"]
    images = solve(row, ddim_grid(row["grid"], row["steps"]), device, n=n)
    wanted = converged(row["denoiser"], n, row["seed"], device)
    errors = (images - wanted).square().mean((1, 2, 3)).sqrt()
    result: Row = {"errors": [float(f"{e:.3g}") for e in errors.tolist()]}
    if row["denoiser"] != "exact":
        labels = torch.arange(n, device=device) % 10
        right = count_recognised(zoo.judge("mnist", device), images.clamp(-1, 1), labels)
        result["recognised"] = share(right, n)
    return result


def _ddim_settings() -> list[Row]:
    rows = [
        (denoiser, grid, steps)
        for denoiser in ("exact", "mnist-edm")
        for grid in ("uniform", "quadratic", "karras")
        for steps in (5, 10, 20, 50, 100, 250, 1000)
    ]
    rows += [("mnist-edm", "own betas", steps) for steps in (50, 100, 200, 500, 1000)]
    return [{"denoiser": d, "grid": g, "steps": k, "n": 16, "seed": 0} for d, g, k in rows]


STUDIES = {
    "solvers": Study(
        what="Samplers at equal numbers of network evaluations, judged by 300 class-conditional MNIST digits at guidance 1",
        settings=[
            {"model": m, "sampler": s, "grid": g, "evaluations": k, "n": 300, "seed": 0}
            for m, s, g in ROWS
            for k in (10, 20, 40, 80)
        ],
        measure=measure_quality,
    ),
    "ddim-steps": Study(
        what="Distance of DDIM's samples to the converged solution from the same noise, by grid and number of steps",
        settings=_ddim_settings(),
        measure=measure_error,
    ),
}
