"""`python -m diffusion_course.notebook`: as `python -m diffusion_course.quizzes`, which starts without torch."""

from ..quizzes import __main__  # noqa: F401
