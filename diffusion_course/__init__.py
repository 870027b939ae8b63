"""Diffusion models, from the forward process to text-to-image: the library the course builds and uses.

    import diffusion_course as dc

    schedule = dc.NoiseSchedule.from_betas(dc.schedules.cosine(1000))
    x = dc.sample(D, x_init, schedule.grid(), step=dc.samplers.ddpm, noise=dc.Noise(0))

The core modules below need torch and nothing else.
"""

from . import denoisers, elbo, gaussian, guidance, losses, noise, samplers, schedules
from .errors import CourseError
from .noise import Noise
from .samplers import sample, trajectory
from .schedules import NoiseSchedule

__version__ = "0.1.0"

__all__ = [
    "CourseError",
    "Noise",
    "NoiseSchedule",
    "denoisers",
    "elbo",
    "gaussian",
    "guidance",
    "losses",
    "noise",
    "sample",
    "samplers",
    "schedules",
    "trajectory",
]
