"""The feedback goes back under the names that the LMS gave the files, and under no others."""

from pathlib import Path
from zipfile import ZipFile

import pytest

from diffusion_course.classroom.grading import returning
from diffusion_course.classroom.grading.results import Graded


def graded(path, page="ann/03", lms_id=""):
    return Graded("ann", "03", path, page, lms_id=lms_id)


@pytest.mark.parametrize(
    ("path", "number", "place"),
    [
        ("Ann Lee_7_assignsubmission_file_/03.ipynb", "moodle:7", "Ann Lee_7_assignsubmission_file_/03.html"),
        ("w.zip/Å_7_assignsubmission_file_/a/b.ipynb", "", "Å_7_assignsubmission_file_/03.html"),
        ("Ann Lee_7_assignsubmission_file_03_epsilon.ipynb", "", "Ann Lee_7_assignsubmission_file_03.html"),
        ("leeann_LATE_4711_98765_03_epsilon-1.ipynb", "canvas:4711", "leeann_LATE_4711_98765_03.html"),
        ("leeann_4711_98765_box.zip/03.ipynb", "4711", "leeann_4711_98765_03.html"),
        ("lab_1_2026_ann.ipynb", "", ""),
        ("ann/03.ipynb", "", ""),
    ],
)
def test_where_the_lms_looks_for_it(path, number, place):
    assert returning.place_of(graded(path, lms_id=number)) == place


def test_the_zip_holds_the_pages_that_are_there(tmp_path):
    returning.write(tmp_path, [graded("ann/03.ipynb")])
    assert not Path(tmp_path, returning.NAME).exists()
    (tmp_path / "feedback" / "ann").mkdir(parents=True)
    for name in ("03", "03-2"):
        (tmp_path / "feedback" / "ann" / f"{name}.html").write_text(name)
    folder = "Ann Lee_7_assignsubmission_file_"
    files = [graded(f"{folder}/{n}.ipynb", f"ann/{n}") for n in ("03", "03-2", "lost")]
    returning.write(tmp_path, files)
    with ZipFile(tmp_path / returning.NAME) as packed:
        assert {name: packed.read(name).decode() for name in packed.namelist()} == {
            f"{folder}/03.html": "03",
            f"{folder}/03-2.html": "03-2",
        }
