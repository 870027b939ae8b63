"""Diffusion models, from the forward process to text-to-image: the library the course builds and uses.

    import diffusion_course as dc

    schedule = dc.NoiseSchedule.from_betas(dc.schedules.cosine(1000))
    x = dc.sample(D, x_init, schedule.grid(), step=dc.samplers.ddpm, noise=dc.Noise(0))

The core modules below need torch and nothing else. They are loaded at first use: torch takes seconds to
import, and `diffusion-course lab` or `--help` must not wait for it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from .errors import CourseError

if TYPE_CHECKING:
    from . import (
        denoisers,
        discrete,
        elbo,
        gaussian,
        guidance,
        linear_gaussian,
        losses,
        markov_chain,
        masked,
        noise,
        sampler_laws,
        samplers,
        schedules,
        sde,
        unmasking,
    )
    from .noise import Draws, Noise
    from .samplers import sample, trajectory
    from .schedules import NoiseSchedule

__version__ = "0.1.0"

__all__ = [
    "CourseError",
    "Draws",
    "Noise",
    "NoiseSchedule",
    "denoisers",
    "discrete",
    "elbo",
    "gaussian",
    "guidance",
    "linear_gaussian",
    "losses",
    "markov_chain",
    "masked",
    "noise",
    "sample",
    "sampler_laws",
    "samplers",
    "schedules",
    "sde",
    "trajectory",
    "unmasking",
]

_HOME = {
    "Draws": "noise",
    "Noise": "noise",
    "NoiseSchedule": "schedules",
    "sample": "samplers",
    "trajectory": "samplers",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f".{_HOME.get(name, name)}", __name__)
    value = getattr(module, name) if name in _HOME else module
    globals()[name] = value  # the next access does not come here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
