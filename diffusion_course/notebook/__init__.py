"""What a notebook shows: `from diffusion_course.notebook import setup, plots, widgets, quiz`."""

from ..figures import grids, plots
from . import quiz, widgets
from .setup import Setup, setup

__all__ = ["Setup", "grids", "plots", "quiz", "setup", "widgets"]
