"""How much noise per step, how many steps, which steps: DDIM's three choices, measured (Song et al. 2021, table 1).

DDIM beside other samplers at equal cost is the study "solvers".
"""

from collections.abc import Callable

import torch
from torch import Tensor

from ... import schedules
from ...samplers import ddim
from ..drawing import Samples, draw
from ..quality import quality
from .lab import Lab
from .study import Row, Study, for_seeds

# Network -> the schedule whose noise levels it is sampled at. The EDM network was trained without one.
SCHEDULES = {"mnist-eps-cosine": "cosine", "mnist-edm": "cosine", "mnist-eps-linear": "linear"}

TIMESTEPS: dict[str, Callable[[int, int], Tensor]] = {
    "uniform": schedules.uniform_timesteps,
    "quadratic": schedules.quadratic_timesteps,
    "trailing": schedules.trailing_timesteps,
    "leading": schedules.leading_timesteps,
}
N = 300  # samples a row


def setting(model: str, eta: float, steps: int, timesteps: str = "uniform", n: int = N) -> Row:
    """One row: n samples without guidance, and the choices they are made with."""
    return {"model": model, "eta": eta, "steps": steps, "timesteps": timesteps, "n": n, "seed": 0}


def samples(row: Row, n: int | None = None, device: torch.device | str = "cpu") -> Samples:
    """The images of a row, or its first n: the same up to rounding, since each has a noise stream of its own."""
    return images(row, Lab(torch.device(device)), n)


def images(row: Row, lab: Lab, n: int | None = None) -> Samples:
    """The images of a row with the networks of a lab.

    They start from pure noise at the first of the row's timesteps, whatever share of the signal is left there.
    """
    schedule = schedules.NoiseSchedule.from_betas(schedules.by_name(SCHEDULES[row["model"]], 1000))
    sigmas = schedule.grid(TIMESTEPS[row["timesteps"]](schedule.T, row["steps"]))
    model = lab.network(row["model"], row.get("training seed", 0))
    step = ddim(row["eta"])
    return draw(model, n or row["n"], sigmas=sigmas, step=step, seed=row["seed"], device=lab.device)


def measure(row: Row, lab: Lab) -> Row:
    """Quality and mean pixel (black is -1, white 1) of a row's images."""
    made = images(row, lab)
    score = quality(made.images, made.labels, "mnist", lab.device)
    return {**score, "mean pixel": round(made.images.mean().item(), 4)}


def whole_table(model: str) -> list[Row]:
    """Every eta with every number of steps on uniform times, and the other choices of times at few steps."""
    return [
        *(setting(model, eta, steps) for eta in (0.0, 0.5, 1.0) for steps in (5, 10, 20, 50)),
        *(
            setting(model, 0.0, steps, timesteps)
            for timesteps in ("quadratic", "trailing", "leading")
            for steps in (5, 10)
        ),
    ]


STUDIES = {
    "ddim": Study(
        what="DDIM on MNIST without guidance: eta, number of steps, and choice of timesteps",
        settings=for_seeds(
            [
                *whole_table("mnist-eps-cosine"),
                *(setting("mnist-edm", eta, steps) for eta in (0.0, 1.0) for steps in (10, 20)),
                *whole_table("mnist-eps-linear"),
            ]
        ),
        measure=measure,
    )
}
