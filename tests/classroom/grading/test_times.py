"""When something was handed in: an LMS's names tell, a file's own time is kept apart, and a student's own name says nothing."""

import os
from datetime import UTC, datetime, timedelta, timezone

import pytest
from handed import GOOD, put, zipped

from diffusion_course.classroom.grading import times
from diffusion_course.classroom.grading.submissions import find


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Homework 3_alee_attempt_2026-11-03-23-59-07_x.ipynb", datetime(2026, 11, 3, 23, 59, 7)),
        ("alee+03_epsilon_loss+2026-11-03 23:59:00 UTC+q8x", datetime(2026, 11, 3, 23, 59, tzinfo=UTC)),
        (
            "alee+03_epsilon_loss+2026-11-03 23:59:00.123456 +0200+q8x",
            datetime(2026, 11, 3, 23, 59, tzinfo=timezone(timedelta(hours=2))),
        ),
        ("1001-42 - Ann Lee - Nov 3, 2026 1159 PM", datetime(2026, 11, 3, 23, 59)),
        ("1001-42 - Ann Lee - December 13, 2026 105 AM", datetime(2026, 12, 13, 1, 5)),
        ("1001-42 - Ann Lee - Nov 3, 2026 1205 AM", datetime(2026, 11, 3, 0, 5)),
        ("Homework_alee_attempt_2026-13-45-23-59-07", None),
        ("1001-42 - Ann Lee - Nov 33, 2026 1159 PM", None),
        ("ann 2026-11-03 23:59", None),
        ("Ann Lee_4711_assignsubmission_file_", None),
        ("Ann Lee_4711_assignsubmission_file_x_attempt_2026-11-01-00-00-00.ipynb", None),  # her own words
    ],
)
def test_the_name_that_an_lms_gives_tells_when(name, told):
    assert times.of(name, None) == times.HandedIn(told)


def test_canvas_says_late_and_not_by_how_much():
    assert times.of("leeann_LATE_4711_815_03_epsilon_loss.ipynb", None).late
    assert not times.of("leeann_4711_815_late_4711_815_x.ipynb", None).late


def test_a_files_own_time_is_kept_of_disks_and_zips(tmp_path):
    put(tmp_path, {"ann/03.ipynb": GOOD, "bob.zip": zipped({"03.ipynb": GOOD})})
    os.utime(tmp_path / "ann" / "03.ipynb", (1_000_000_000, 1_000_000_000))
    ann, bob = find(tmp_path).submissions
    assert ann.handed_in == times.HandedIn(None, datetime.fromtimestamp(1_000_000_000, UTC))
    assert bob.handed_in.told is None
    assert bob.handed_in.written.tzinfo is None  # a zip says no zone


def test_a_name_that_a_student_chose_tells_no_time(tmp_path):
    put(tmp_path, {"Ann Lee_4711_assignsubmission_file_/x_attempt_2026-11-01-00-00-00.ipynb": GOOD})
    (one,) = find(tmp_path).submissions
    assert one.handed_in.told is None
