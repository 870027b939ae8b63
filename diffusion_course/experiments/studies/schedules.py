"""Does the noise schedule matter? The losses and the samples of eps networks, linear against cosine."""

import torch
from torch import Tensor

from ...denoisers import EpsModel, Preconditioned, as_eps
from ...gaussian import diffuse
from ...noise import Noise
from ...samplers import ddpm
from ...schedules import NoiseSchedule, by_name, uniform_timesteps
from .. import data
from ..drawing import draw
from ..quality import quality
from .lab import Lab
from .study import Row, Study, for_seeds

T = 1000
TIMES = (1, 3, 10, 25, *range(50, 951, 50), 975, 990, 997, 1000)  # closer where a log-SNR falls fast
STEPS = (100, 200, 500, 1000)
N = 150  # samples a row: the same for all, since Fréchet distances can be compared at an equal number only
IMAGES = 1000  # test images of the losses


def measure_loss(setting: Row, lab: Lab) -> Row:
    """The eps loss of one network at each of TIMES, on test images, which it was not trained on: for each seed others."""
    schedule = _schedule(setting["schedule"])
    x0, labels = test_images(setting["data"], setting["n"], setting["seed"], lab.device)
    model = _network(setting, lab).given(labels)
    return loss_per_t(as_eps(model, schedule), x0, schedule, TIMES, seed=setting["seed"])


def test_images(name: str, n: int, seed: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """n test images and their labels: of the same random order for each seed the next n, so that no two seeds share one."""
    test = data.load(name, "test")
    order = torch.randperm(len(test), generator=torch.Generator().manual_seed(0))
    rows = order[torch.arange(seed * n, (seed + 1) * n) % len(test)]
    return test.images[rows].to(device), test.labels[rows].to(device)


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


def measure_samples(setting: Row, lab: Lab) -> Row:
    """What the judge says of ancestral samples."""
    sigmas = strided_grid(setting["schedule"], setting["steps"])
    network = _network(setting, lab)
    drawn = draw(network, setting["n"], sigmas=sigmas, step=ddpm, seed=setting["seed"], device=lab.device)
    return quality(drawn.images, drawn.labels, setting["data"], lab.device)


def strided_grid(schedule: str, steps: int) -> Tensor:
    """The sigmas of `steps` evenly spaced times of the schedule's T = 1000, then 0: (steps + 1,)."""
    return _schedule(schedule).grid(uniform_timesteps(T, steps))


def _schedule(name: str) -> NoiseSchedule:
    return NoiseSchedule.from_betas(by_name(name, T))


def _network(setting: Row, lab: Lab) -> Preconditioned:
    return lab.network(f"{setting['data']}-eps-{setting['schedule']}", setting.get("training seed", 0))


PAIRS = [
    {"data": name, "schedule": schedule}
    for name in ("mnist", "fashion-mnist")
    for schedule in ("linear", "cosine")
]
STUDIES = {
    "loss-per-t": Study(
        "The eps loss per pixel of four networks at each noise level, on test images",
        for_seeds({**pair, "n": IMAGES} for pair in PAIRS),
        measure_loss,
    ),
    "schedules": Study(
        "Ancestral samples on strided times, without guidance: linear against cosine",
        for_seeds({**pair, "steps": steps, "n": N} for steps in STEPS for pair in PAIRS),
        measure_samples,
    ),
}
