"""`python -m diffusion_course.quizzes`: seal a quiz draft, or print the draft of a sealed quiz (see sealing.py)."""

import sys

from ..errors import CourseError
from .sealing import command

try:
    command(sys.argv[1:])
except CourseError as error:
    print(f"error: {error}", file=sys.stderr)
    raise SystemExit(2) from None
