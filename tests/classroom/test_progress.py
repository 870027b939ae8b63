"""What was passed is kept beside the notebooks, whole, and told over all chapters; a damaged file is one line and stays as it is."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from diffusion_course.classroom import checks, handout, progress
from diffusion_course.classroom.checks import CHECKS
from diffusion_course.cli import app
from diffusion_course.errors import CourseError

EVERY = {
    number: {e: x for e, x in handout.exercises(handout.read(number)).items() if not x.rubric}
    for number in {name[:2] for name in handout.names()}
}
DAMAGED = [
    "",
    "{",
    "[]",
    '{"passed": 3}',
    '{"passed": {"01-snr": {}}}',
    "\ufeff{}",
    '{"passed": {"01-snr": 2}}',
]
DAMAGED += [
    '{"passed": {"01-snr": {"points": 3, "of": 2, "on": "x"}}}',
    '{"passed": {"a": {"points": 0, "of": 0, "on": ""}}}',
]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.delenv(progress.SWITCH)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def shell(monkeypatch):
    """As in a person's notebook."""
    monkeypatch.setattr(checks, "notebook", lambda: SimpleNamespace(user_ns={}, transform_cell=str))
    for memory in ("_found", "_points", "_worth"):
        monkeypatch.setattr(checks, memory, {})


def command(*words):
    result = CliRunner().invoke(app, ["progress", *map(str, words)])
    return result.exit_code, result.stdout, result.stderr


def test_what_a_check_accepts_is_kept_and_shown_over_all_chapters(here, shell, capsys):
    for exercise in ("01-snr", "03-x0_from_eps"):
        checks.check(exercise, CHECKS[exercise].reference)
    assert progress.read(here)["01-snr"].points == EVERY["01"]["01-snr"].points
    code, said, _ = command()
    assert code == 0
    for number, exercises in EVERY.items():
        if exercises:
            (line,) = [line for line in said.splitlines() if line.startswith(f"{number} ")]
            done = int(number in ("01", "03"))
            assert f"{done:2} of {len(exercises):2} exercises" in line
    count = sum(map(len, EVERY.values()))
    assert f"2 of {count} exercises passed" in said
    capsys.readouterr()
    checks.check_all({"01-snr": 2})
    assert f"All chapters: 2 of {count} exercises passed" in capsys.readouterr().out


def test_a_wrong_answer_and_a_script_keep_nothing(here, shell, monkeypatch):
    with pytest.raises(CourseError):
        checks.check("01-snr", lambda alpha_bar: alpha_bar)
    monkeypatch.setattr(checks, "notebook", lambda: None)
    checks.check("01-snr", CHECKS["01-snr"].reference)
    assert os.listdir(here) == []


def test_the_better_result_stays(here):
    for points, of in ((1, 4), (3, 4), (2, 4), (6, 8)):
        progress.note(here, "04-x", points, of)
    assert (progress.read(here)["04-x"].points, progress.read(here)["04-x"].of) == (3, 4)


def test_two_notebooks_at_once_lose_nothing(here):
    names = [f"01-e{n}" for n in range(20)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: progress.note(here, name, 1, 1), names))
    assert sorted(progress.read(here)) == sorted(names)


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_file_is_one_line_and_stays(here, shell, text, capsys):
    (here / progress.NAME).write_text(text, encoding="utf-8")
    code, _, told = command()
    assert code == 2
    assert told == f"error: {progress.NAME} is damaged: move it away, and run the checks again\n"
    for _ in range(2):
        checks.check("01-snr", CHECKS["01-snr"].reference)
    said = capsys.readouterr().out
    assert said.count("your progress is not kept") == 1
    assert said.count("01-snr: correct") == 2
    assert (here / progress.NAME).read_text(encoding="utf-8") == text


def test_where_nothing_can_be_written_the_check_goes_on(here, shell, monkeypatch, capsys):
    monkeypatch.setattr(
        progress, "write_json", lambda *_: (_ for _ in ()).throw(OSError(30, "Read-only file system"))
    )
    checks.check("01-snr", CHECKS["01-snr"].reference)
    said = capsys.readouterr().out
    assert "01-snr: correct" in said
    assert "progress.json: Read-only file system" in said


def test_points_are_those_of_the_edition(here):
    progress.note(here, "01-snr", 1, 2)
    (first,) = [c for c in progress.chapters(here) if c.number == "01"]
    assert first.points == EVERY["01"]["01-snr"].points // 2
    assert "01-snr" not in first.left


def test_a_page_of_it_can_be_printed(here):
    progress.note(here, "01-snr", 2, 2)
    code, _, told = command("--page", "p.html")
    assert code == 0
    page = (here / "p.html").read_text(encoding="utf-8")
    assert "✓ snr" in page
    assert "○ diffuse" in page
    assert "p.html" in told


def test_the_folder_is_named_or_near_by(here, tmp_path):
    assert command(tmp_path / "nowhere")[0] == 2
    (here / "notebooks").mkdir()
    progress.note(here / "notebooks", "01-snr", 2, 2)
    assert "1 of" in command()[1].splitlines()[-1]
    assert json.loads((here / "notebooks" / progress.NAME).read_text())["passed"]["01-snr"]["of"] == 2


def test_json_tells_every_exercise(here):
    progress.note(here, "01-snr", 2, 2)
    told = json.loads(command("--json")[1])
    assert told["worth"] == sum(x.points for exercises in EVERY.values() for x in exercises.values())
    assert told["points"] == told["chapters"]["01"]["points"] > 0
    for number, chapter in told["chapters"].items():
        assert chapter["exercises"].keys() == EVERY[number].keys()
    passed = {
        e: x["passed"] for c in told["chapters"].values() for e, x in c["exercises"].items() if x["passed"]
    }
    assert passed.keys() == {"01-snr"}
    assert passed["01-snr"]["points"] == 2
