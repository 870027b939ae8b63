"""What a notebook shows: `from diffusion_course.notebook import setup, plots, widgets, quiz`."""

from . import plots, quiz, widgets
from .setup import Setup, setup

__all__ = ["Setup", "plots", "quiz", "setup", "widgets"]
