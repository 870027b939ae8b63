"""Does DDIM need 1000 steps? The distance of its samples to the converged solution, by grid and number of steps."""

import torch
from torch import Tensor

from ...denoisers import DatasetDenoiser, Denoiser, blurred
from ...noise import Noise
from ...samplers import Step, euler, heun, sample
from ...schedules import NoiseSchedule, karras, quadratic
from ..metrics import count_recognised
from ..quality import share
from .equal_cost import FINE, GRIDS, LINEAR, full_precision
from .lab import SEEDS, Lab
from .study import Row, Study, for_seeds

BLUR = 0.1  # of the exact denoiser's data
N = 16  # samples a row


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


def denoiser(row: Row, n: int, lab: Lab) -> Denoiser:
    """ "exact", of 1,000 blurred images of mnist-5k; or trained weights, given the classes 0, 1, ... in turn."""
    if row["denoiser"] == "exact":
        images = lab.pictures("mnist-5k").images
        some = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))[:1000]
        return blurred(DatasetDenoiser(images[some].double().to(lab.device)), BLUR)
    network = lab.network(row["denoiser"], row.get("training seed", 0))
    return network.given(torch.arange(n, device=lab.device) % 10)


def solve(row: Row, sigmas: Tensor, lab: Lab, step: Step = euler, n: int | None = None) -> Tensor:
    """The row's samples (or its first n) on a grid, float64: the same noise for every grid, scaled by its first sigma."""
    n = n or row["n"]
    start = Noise(row["seed"]).randn(n, 1, 28, 28, device=lab.device, dtype=torch.float64)
    with full_precision():
        return sample(denoiser(row, n, lab), sigmas[0] * start, sigmas, step)


def converged(row: Row, n: int, lab: Lab) -> Tensor:
    """What the samples tend to as steps shrink: Heun on the Karras grid with FINE steps, 2 FINE - 1 evaluations."""
    key = ("converged", row["denoiser"], row.get("training seed", 0), n, row["seed"])
    return lab.kept(key, lambda: solve(row, ddim_grid("karras", FINE), lab, heun, n))


def measure_error(row: Row, lab: Lab, n: int | None = None) -> Row:
    """The distance of each DDIM sample (or the first n) to its converged solution, a root mean square over pixels.

    For trained weights also the judge's count.
    """
    n = n or row["n"]
    images = solve(row, ddim_grid(row["grid"], row["steps"]), lab, n=n)
    errors = (images - converged(row, n, lab)).square().mean((1, 2, 3)).sqrt()
    result: Row = {
        "error": float(f"{errors.median().item():.3g}"),
        "errors": [float(f"{e:.3g}") for e in errors.tolist()],
    }
    if row["denoiser"] != "exact":
        labels = torch.arange(n, device=lab.device) % 10
        right = count_recognised(lab.judge("mnist"), images.clamp(-1, 1), labels)
        result["recognised"] = share(right, n)
    return result


def _rows(denoiser: str) -> list[Row]:
    rows = [
        (grid, steps)
        for grid in ("uniform", "quadratic", "karras")
        for steps in (5, 10, 20, 50, 100, 250, 1000)
    ]
    if denoiser != "exact":
        rows += [("own betas", steps) for steps in (50, 100, 200, 500, 1000)]
    return [{"denoiser": denoiser, "grid": grid, "steps": steps, "n": N} for grid, steps in rows]


STUDIES = {
    "ddim-steps": Study(
        what="Distance of DDIM's samples to the converged solution from the same noise, by grid and number of steps",
        settings=[*for_seeds(_rows("exact"), SEEDS[:1]), *for_seeds(_rows("mnist-edm"))],
        measure=measure_error,
    ),
}
