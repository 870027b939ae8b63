"""Does the noise schedule matter? The losses and the samples of the shipped eps networks, linear against cosine."""

from typing import Any

import torch
from torch import Tensor

from ...denoisers import EpsModel, Preconditioned, as_eps
from ...gaussian import diffuse
from ...noise import Noise
from ...samplers import ddpm
from ...schedules import NoiseSchedule, by_name, uniform_timesteps
from .. import data, zoo
from ..drawing import draw
from ..metrics import recognised
from ..quality import quality, share
from .study import Row, Study

T = 1000
TIMES = (1, 3, 10, 25, *range(50, 951, 50), 975, 990, 997, 1000)  # closer where a log-SNR falls fast
SAMPLES = {100: 200, 200: 200, 500: 100, 1000: 100}  # steps -> samples; fewer where each costs most
FEW = 100  # samples that every row has: Fréchet distances can be compared at an equal number only
FIRST = f"first {FEW}"
DISTANCE = ("frechet", "frechet standard error", "frechet without each tenth", "floor")


def measure_loss(setting: Row, device: torch.device) -> Row:
    """The eps loss of one network at each of TIMES, on the first test images, which it was not trained on."""
    schedule = _schedule(setting["schedule"])
    test = data.load(setting["data"], "test", limit=setting["n"])
    model = _network(setting, device).given(test.labels.to(device))
    return loss_per_t(as_eps(model, schedule), test.images.to(device), schedule, TIMES, seed=setting["seed"])


@torch.no_grad()
def loss_per_t(
    eps_model: EpsModel, x0: Tensor, schedule: NoiseSchedule, times: tuple[int, ...], seed: int = 0
) -> Row:
    """Mean squared error of the predicted noise per pixel, and its standard error over the images x0 (B, *S).

    One draw of eps serves all times and all networks, so that a difference is not one of the draw.
    """
    eps = Noise(seed).like(x0)
    error = torch.stack([_squared_error(eps_model, x0, t, eps, schedule) for t in times]).double().cpu()
    return {
        "t": list(times),
        "loss": [round(v, 6) for v in error.mean(1).tolist()],
        "standard error": [round(v, 6) for v in (error.std(1) / len(x0) ** 0.5).tolist()],
    }


def _squared_error(eps_model: EpsModel, x0: Tensor, t: int, eps: Tensor, schedule: NoiseSchedule) -> Tensor:
    times = torch.full((len(x0),), t, device=x0.device)
    return (eps_model(diffuse(x0, times, eps, schedule), times) - eps).square().flatten(1).mean(1)


def measure_samples(setting: Row, device: torch.device) -> Row:
    """How many ancestral samples the judge recognises, and the Fréchet distance of the first FEW of them."""
    judge = zoo.judge(setting["data"], device)
    sigmas = strided_grid(setting["schedule"], setting["steps"])
    drawn = draw(
        _network(setting, device), setting["n"], sigmas=sigmas, step=ddpm, seed=setting["seed"], device=device
    )
    right = recognised(judge, drawn.images, drawn.labels).tolist()
    first = drawn.images[:FEW]
    measured: dict[str, Any] = quality(first, drawn.labels[:FEW], setting["data"], device)
    return {
        "recognised": share(sum(right), setting["n"]),
        "each": "".join(
            "01"[mark] for mark in right
        ),  # one mark a sample, for pairs and for a quick re-check
        FIRST: {"n": len(first), **{name: value for name, value in measured.items() if name in DISTANCE}},
    }


def strided_grid(schedule: str, steps: int) -> Tensor:
    """The sigmas of `steps` evenly spaced times of the schedule's T = 1000, then 0: (steps + 1,)."""
    return _schedule(schedule).grid(uniform_timesteps(T, steps))


def _schedule(name: str) -> NoiseSchedule:
    return NoiseSchedule.from_betas(by_name(name, T))


def _network(setting: Row, device: torch.device) -> Preconditioned:
    return zoo.load(f"{setting['data']}-eps-{setting['schedule']}", device)


PAIRS = [
    {"data": name, "schedule": schedule}
    for name in ("mnist", "fashion-mnist")
    for schedule in ("linear", "cosine")
]
STUDIES = {
    "loss-per-t": Study(
        "The eps loss per pixel of four networks at each noise level, on test images",
        [{**pair, "n": 500, "seed": 0} for pair in PAIRS],
        measure_loss,
    ),
    "schedules": Study(
        "Ancestral samples on strided times, without guidance: linear against cosine",
        [{**pair, "steps": steps, "n": n, "seed": 0} for steps, n in SAMPLES.items() for pair in PAIRS],
        measure_samples,
    ),
}
