"""The student notebooks as they were installed."""

import sys

import pytest

from diffusion_course.classroom import handout
from diffusion_course.classroom.ids import chapter_of, chosen, function_of
from diffusion_course.errors import CourseError


def test_the_packages_own_notebooks_come_before_a_folder_beside_it(tmp_path, monkeypatch):
    package = tmp_path / "site-packages" / "diffusion_course"
    package.mkdir(parents=True)
    monkeypatch.setattr(handout, "PACKAGE", package)
    with pytest.raises(CourseError, match="none came with this package"):
        handout.folder()
    (package.parent / "notebooks").mkdir()
    assert handout.folder() == package.parent / "notebooks"
    (package / "_notebooks").mkdir()
    assert handout.folder() == package / "_notebooks"


def test_where_the_notebooks_lie_is_known_without_the_extra_lab(monkeypatch):
    monkeypatch.setitem(sys.modules, "nbformat", None)
    assert handout.folder().is_dir()


@pytest.mark.parametrize("name", handout.names())
def test_of_the_setup_cell_stays_what_does_not_install(name):
    notebook = handout.read(chapter_of(name))
    setup, *others = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert setup.source.endswith(f"\n\n{handout.installed(setup)}")
    assert "pip" not in handout.installed(setup)
    compile(handout.installed(setup), "setup", "exec")
    assert all(handout.installed(cell) == cell.source for cell in others)


@pytest.mark.parametrize("name", handout.names())
def test_a_text_that_was_filled_in_keeps_its_source(name):
    for cell in handout.read(chapter_of(name)).cells:
        assert ("### Exercise " in cell.source) <= ("### Exercise {{" in handout.template(cell))
        assert handout.template(cell) != cell.source


def test_words_for_chapters():
    names = ["00_start", "03_loss", "10_more"]
    assert chosen(None, names) == chosen([], names) == names
    assert chosen(["10", "3", "solutions/03_loss.py"], names) == ["03_loss", "10_more"]
    for word in ("3_loss", "1", "²", "", "03_", "-3"):
        with pytest.raises(CourseError, match="unknown chapter"):
            chosen([word], names)


def test_the_parts_of_a_name():
    assert (chapter_of("03-eps_loss"), function_of("03-eps_loss")) == ("03", "eps_loss")
    assert chapter_of("03_epsilon_loss") == "03"
