"""One grader at a time in a folder; what a dead one left locks nobody out."""

import os

import pytest

from diffusion_course.classroom.grading import lock
from diffusion_course.errors import CourseError


def test_the_second_is_told_who_has_the_folder(tmp_path):
    with lock.held(tmp_path):
        with (
            pytest.raises(CourseError, match=rf"is in use by process {os.getpid()} on ") as caught,
            lock.held(tmp_path),
        ):
            pass
        assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    with lock.held(tmp_path):
        assert (tmp_path / lock.NAME).exists()


def test_what_a_dead_grader_left_is_taken_over(tmp_path):
    (tmp_path / lock.NAME).write_text("process 1 on elsewhere\n")
    with lock.held(tmp_path):
        assert f"process {os.getpid()}" in (tmp_path / lock.NAME).read_text()


def test_a_lock_of_a_process_that_is_killed_ends_with_it(tmp_path):
    child = os.fork()
    if not child:
        with lock.held(tmp_path):
            os._exit(0)
    os.waitpid(child, 0)
    assert (tmp_path / lock.NAME).exists()
    with lock.held(tmp_path):
        pass


def test_an_error_lets_go_of_it(tmp_path):
    with pytest.raises(RuntimeError), lock.held(tmp_path):
        raise RuntimeError
    with lock.held(tmp_path):
        pass


def test_a_link_in_its_place_is_not_followed(tmp_path):
    (tmp_path / "other").write_text("keep")
    (tmp_path / lock.NAME).symlink_to(tmp_path / "other")
    with pytest.raises(CourseError, match="cannot write"), lock.held(tmp_path):
        pass
    assert (tmp_path / "other").read_text() == "keep"
