"""What a sampling loop costs beside the network: 50 Euler steps with a denoiser that costs nothing, beside the same arithmetic by hand."""

import itertools
from collections.abc import Callable

import torch
from torch import Tensor

from diffusion_course import samplers
from diffusion_course.schedules import karras

from .peers import missing, peer
from .sides import Case, Comparison

STEPS = 50
SHAPES = ((16, 1, 28, 28), (64, 3, 32, 32))


def comparisons(device: torch.device) -> list[Comparison]:
    return [_comparison(shape, device) for shape in SHAPES]


def free(x: Tensor, sigma: object, **_: object) -> Tensor:
    """A denoiser that costs nothing."""
    return x


def _comparison(shape: tuple[int, ...], device: torch.device) -> Comparison:
    x = 80 * torch.randn(shape, device=device)
    grid = karras(STEPS)
    cases: dict[str, Case] = {
        "by hand": _once(by_hand, x, grid.tolist()),
        "the course": _once(samplers.sample, free, x, grid),
        "the course, Heun": _once(samplers.sample, free, x, grid, samplers.heun),
    }
    if peer("diffusers"):
        cases["diffusers, EulerDiscreteScheduler"] = _once(by_diffusers, x)
    if peer("k_diffusion.sampling"):
        cases["k-diffusion, sample_euler"] = _once(by_k_diffusion, x, grid.float().to(device))
    title = f"Sampling loop, {' x '.join(map(str, shape))}"
    return Comparison(title, cases, "step", STEPS, notes=missing("diffusers", "k_diffusion.sampling"))


def _once(run: Callable, *arguments: object) -> Case:
    def case() -> None:
        run(*arguments)

    return case


@torch.no_grad()
def by_hand(x: Tensor, grid: list[float]) -> Tensor:
    for sigma, sigma_next in itertools.pairwise(grid):
        slope = (x - free(x, sigma)) / sigma
        x = x + (sigma_next - sigma) * slope
    return x


@torch.no_grad()
def by_diffusers(x: Tensor) -> Tensor:
    from diffusers import EulerDiscreteScheduler

    scheduler = EulerDiscreteScheduler()
    scheduler.set_timesteps(STEPS, device=x.device)
    for t in scheduler.timesteps:
        answer = free(scheduler.scale_model_input(x, t), t)
        x = scheduler.step(answer, t, x).prev_sample
    return x


def by_k_diffusion(x: Tensor, grid: Tensor) -> Tensor:
    from k_diffusion.sampling import sample_euler

    return sample_euler(free, x, grid, disable=True)
