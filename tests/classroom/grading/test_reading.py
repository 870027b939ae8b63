"""What is in a notebook, in every form that an editor or a front end gives it: which cells are answers."""

import copy
import json

import pytest
from handed import FIRST, GOOD, ONE, SECOND, THIRD, alone, dumped, exercise_of, notebook, put, written

from diffusion_course.classroom import handout
from diffusion_course.classroom.grading.submissions import find


def test_metadata_stripped_by_colab(tmp_path):
    raw = notebook()
    for cell in raw["cells"]:
        cell["metadata"] = {"id": "aB3"}
    assert alone(tmp_path, raw).answers == {e: written(e) for e in (FIRST, SECOND, THIRD)}


def test_the_first_line_deleted_but_metadata_there(tmp_path):
    raw = notebook()
    for cell in raw["cells"]:
        if exercise_of(cell):
            cell["source"] = cell["source"].split("\n", 1)[1]
    one = alone(tmp_path, raw)
    assert one.answers == {e: written(e).split("\n", 1)[1] for e in (FIRST, SECOND, THIRD)}
    assert [kind for kind, _ in one.cells if kind in one.answers] == [FIRST, SECOND, THIRD]


def test_a_cell_that_was_split_counts_with_the_half_that_has_the_line(tmp_path):
    raw = notebook()
    place = next(i for i, cell in enumerate(raw["cells"]) if exercise_of(cell) == FIRST)
    half = copy.deepcopy(raw["cells"][place])
    half["source"] = "print(x0_from_eps)"
    raw["cells"].insert(place + 1, half)
    one = alone(tmp_path, raw)
    assert one.answers[FIRST] == written(FIRST)
    assert one.notes == ()


def test_reordered_cells(tmp_path):
    raw = notebook()
    raw["cells"].reverse()
    assert alone(tmp_path, raw).answers == {e: written(e) for e in (FIRST, SECOND, THIRD)}


def test_deleted_cells(tmp_path):
    raw = notebook()
    raw["cells"] = [cell for cell in raw["cells"] if exercise_of(cell) != SECOND]
    assert set(alone(tmp_path, raw).answers) == {FIRST, THIRD}


@pytest.mark.parametrize("blank_last", [False, True])
def test_a_duplicated_exercise_counts_as_the_last_that_is_written(tmp_path, blank_last):
    raw = notebook(solved=(SECOND, THIRD))
    blank = handout.exercises(handout.read("03"))[FIRST].blank
    extra = [
        {"cell_type": "code", "metadata": {}, "source": written(FIRST, f"    return {n}\n")} for n in (2, 3)
    ]
    raw["cells"] = [*extra, *raw["cells"]] if blank_last else [*raw["cells"], *extra]
    one = alone(tmp_path, raw)
    assert one.answers[FIRST] == written(FIRST, "    return 3\n")
    assert any("more than once" in note for note in one.notes)
    assert (FIRST, one.answers[FIRST]) in one.cells
    assert ("code", blank) in one.cells


def test_a_blank_in_windows_line_ends_is_a_blank(tmp_path):
    raw = notebook(solved=())
    for cell in raw["cells"]:
        cell["source"] = cell["source"].replace("\n", "\r\n")
    assert not alone(tmp_path, raw).touched


def test_unknown_exercises_are_told(tmp_path):
    raw = notebook()
    raw["cells"].append({"cell_type": "code", "metadata": {}, "source": "# EXERCISE 03-free_points\n1"})
    raw["cells"].append({"cell_type": "code", "metadata": {"course": {"id": "99-x"}}, "source": "1"})
    one = alone(tmp_path, raw)
    assert set(one.answers) == {FIRST, SECOND, THIRD}
    assert one.notes == ("the course has no exercise 03-free_points",)


def test_an_answer_in_a_cell_of_text_does_not_count(tmp_path):
    raw = notebook()
    next(cell for cell in raw["cells"] if exercise_of(cell) == FIRST)["cell_type"] = "markdown"
    one = alone(tmp_path, raw)
    assert set(one.answers) == {SECOND, THIRD}
    assert one.notes == (f"exercise {FIRST} is in a cell of text, so it does not count",)


def test_the_wrong_chapter_is_graded_as_what_it_holds(tmp_path):
    one = alone(tmp_path, ONE, "ann/03_epsilon_loss.ipynb")
    assert one.chapter == "01"
    assert one.notes == ("the file's name says chapter 03, but it holds exercises of chapter 01",)
    assert one.page == "ann/01"


def test_answers_of_two_chapters_in_one_file(tmp_path):
    raw = notebook("03", (FIRST, SECOND))
    raw["cells"].append({"cell_type": "code", "metadata": {}, "source": written("01-snr")})
    one = alone(tmp_path, raw, "ann/x.ipynb")
    assert (one.chapter, set(one.answers)) == ("03", {FIRST, SECOND, THIRD})
    assert one.notes == ("holds exercises of another chapter, which are not graded: 01-snr",)


def test_what_is_written_decides_the_chapter(tmp_path):
    raw = notebook("03", ())
    raw["cells"].append({"cell_type": "code", "metadata": {}, "source": written("01-snr")})
    assert alone(tmp_path, raw).chapter == "01"


def test_old_and_new_formats(tmp_path):
    new, plain, old = notebook(), notebook(), notebook()
    new |= {"nbformat": 4, "nbformat_minor": 5}
    plain |= {"nbformat": 4, "nbformat_minor": 0}
    for cell in plain["cells"]:
        cell.pop("id", None)
        cell["source"] = cell["source"].splitlines(keepends=True)
    sheet = [
        {
            "cell_type": c["cell_type"],
            "metadata": {},
            "input" if c["cell_type"] == "code" else "source": c["source"],
        }
        for c in old["cells"]
    ]
    old = {
        "nbformat": 3,
        "nbformat_minor": 0,
        "metadata": {},
        "worksheets": [{"cells": sheet}, 7, {"cells": 7}],
    }
    files = {"a/03.ipynb": new, "b/03.ipynb": plain, "c/03.ipynb": old}
    found = find(put(tmp_path, files)).submissions
    assert [s.problem for s in found] == ["", "", ""]
    assert found[0].answers == found[1].answers == found[2].answers
    assert [s.notes for s in found] == [(), (), ("saved in the old notebook format 3",)]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "the file is empty"),
        (b" \n\t ", "the file is empty"),
        (GOOD.replace(b"noise", b"no\xffse"), "the file is not UTF-8 text"),
        (GOOD.decode().encode("utf-16"), "the file is not UTF-8 text"),
        (GOOD[:-100], "the file is not JSON; was the download cut short?"),
        (b"[" * 100_000, "the file is not JSON; was the download cut short?"),
        (b"[" * 100_000 + b"]" * 100_000, "the file is not JSON; was the download cut short?"),
        (b'{"nbformat": ' + b"9" * 5000 + b"}", "the file is not JSON; was the download cut short?"),
        (b"[1, 2]", "the file is JSON, but no notebook"),
        (b"7", "the file is JSON, but no notebook"),
        (b"{}", "the file is no notebook of format 3 or 4 (nbformat is 'None')"),
        (b'{"nbformat": 5, "cells": []}', "the file is no notebook of format 3 or 4 (nbformat is '5')"),
        (
            b'{"nbformat": "\\ud800", "cells": []}',
            "the file is no notebook of format 3 or 4 (nbformat is '?')",
        ),
        (b'{"nbformat": 4, "cells": {}}', "the file is no notebook of format 3 or 4 (nbformat is '4')"),
        (
            b'{"nbformat": 4, "cells": []}',
            "no cell begins with '# EXERCISE ...'; is it a notebook of this course?",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_a_submission_with_a_problem(tmp_path, content, problem):
    found = find(put(tmp_path, {"ann/03_epsilon_loss.ipynb": content, "bob/03.ipynb": GOOD})).submissions
    assert [(s.student, s.chapter, s.problem) for s in found] == [("ann", "03", problem), ("bob", "03", "")]
    assert found[0].answers == {}


def test_a_byte_order_mark_and_nan_do_no_harm(tmp_path):
    raw = notebook()
    raw["metadata"]["x"] = float("nan")
    one = alone(tmp_path, b"\xef\xbb\xbf" + dumped(raw))
    assert (one.problem, len(one.answers)) == ("", 3)


def test_damaged_cells_are_left_out(tmp_path):
    raw = notebook()
    raw["cells"] += [
        7,
        None,
        {},
        {"cell_type": "code", "source": 7},
        {"cell_type": "code", "source": [1, "x"]},
    ]
    raw["cells"] += [
        {"cell_type": "code", "source": "1", "metadata": m}
        for m in (7, {"course": 7}, {"course": {"id": []}})
    ]
    one = alone(tmp_path, raw)
    assert len(one.answers) == 3
    assert one.notes == ("3 cells are damaged and not read",)


def test_halves_of_surrogate_pairs_are_replaced(tmp_path):
    raw = notebook(solved=())
    for cell in raw["cells"]:
        cell["source"] += "\ud800 \U0001f600"
    one = alone(tmp_path, raw)
    assert one.answers[FIRST].endswith("\ufffd \U0001f600")
    assert json.dumps([one.answers, one.cells], ensure_ascii=False).encode()


def test_a_huge_answer_is_told_and_not_graded(tmp_path):
    raw = notebook()
    next(c for c in raw["cells"] if exercise_of(c) == FIRST)["source"] = written(FIRST) + "#" * 200_000
    one = alone(tmp_path, raw)
    assert set(one.answers) == {SECOND, THIRD}
    assert one.notes == (f"exercise {FIRST} has more than 100,000 characters, so it is not graded",)


def test_a_page_is_not_larger_than_a_person_reads(tmp_path):
    raw = notebook()
    raw["cells"] = [{"cell_type": "markdown", "source": "x" * 500_000, "metadata": {}}] * 30 + raw["cells"]
    one = alone(tmp_path, raw)
    assert sum(len(source) for _, source in one.cells) < 500_000
    assert {FIRST, SECOND, THIRD} <= {kind for kind, _ in one.cells}
