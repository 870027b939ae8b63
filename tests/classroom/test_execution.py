"""A notebook's run: its kernel is gone when the run is over, however it ends."""

from contextlib import nullcontext

import nbformat
import psutil
import pytest

from diffusion_course.classroom.execution import execute
from diffusion_course.errors import CourseError


def notebook(tmp_path, last):
    told = f"import os\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))"
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in (told, last)])


@pytest.mark.parametrize(
    ("last", "end"),
    [("print(1 + 1)", nullcontext()), ("1 / 0", pytest.raises(CourseError, match="ZeroDivision"))],
)
def test_no_kernel_outlives_its_run(tmp_path, last, end):
    with end:
        execute(notebook(tmp_path, last), "01_name", tmp_path, 60)
    pid = int((tmp_path / "pid").read_text())
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
