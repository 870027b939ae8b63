"""`python -m diffusion_course.notebook`: as `python -m diffusion_course.quizzes`, which starts without torch."""

import runpy

runpy.run_module("diffusion_course.quizzes", run_name="__main__", alter_sys=True)
