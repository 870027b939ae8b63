"""Five samplers of chapter 07, each with one of eight faults. Which has which, a line-up's name decides, and no name or picture says."""

from collections.abc import Callable

from torch import Tensor

from .checks.ch07_faults import FAULTS, LETTERS, faults_of
from .checks.ch07_walks import Step, walk

Sampler = Callable[..., Tensor]


def line_up(name: str) -> dict[str, Sampler]:
    """The samplers "A" to "E" of a line-up: sampler(eps_model, x_T, times, eta, noise, alpha_bar) -> states, as `ddim_sample`."""
    steps = list(FAULTS.values())
    return {
        letter: _sampler(steps[fault - 1]) for letter, fault in zip(LETTERS, faults_of(name), strict=True)
    }


def _sampler(step: Step) -> Sampler:
    def sampler(
        eps_model: Callable, x_T: Tensor, times: Tensor, eta: float, noise: Tensor, alpha_bar: Tensor
    ) -> Tensor:
        return walk(eps_model, x_T, times, eta, noise, alpha_bar, step)

    return sampler
