"""A batch resumes, repeats to the byte, and goes on whatever one submission does."""

import itertools
import json
import os
import re
import stat
from concurrent.futures.process import BrokenProcessPool
from types import SimpleNamespace

import pytest
from planted import NAME, kinds, notebook, plant
from typer.testing import CliRunner

from diffusion_course import CourseError
from diffusion_course.classroom.grading import batch, command, lock, pages, sandbox, submissions
from diffusion_course.classroom.grading.results import Graded
from diffusion_course.classroom.grading.rules import Rules
from diffusion_course.classroom.grading.sandbox import Isolation
from diffusion_course.classroom.handout import edition, exercises, folder, read
from diffusion_course.cli import app

STUDENTS = ("ann", "bob", "cleo", "dan")
FIRST = {e: x.points for e, x in exercises(read("01")).items()}  # of chapter 01: exercise -> points


def run(place, store, secret="s", **options):
    pages = []
    graded = batch.run(
        submissions.find(place).submissions, store, edition(folder()), Rules(secret), pages.append, **options
    )
    return graded, pages


def test_results_come_in_the_order_of_the_submissions(place, tmp_path, asked):
    graded, pages = run(place, tmp_path / "out")
    assert [one.student for one in graded] == list(STUDENTS)
    assert [one.points for one in graded] == [3, 3, 4, 3]
    assert sorted(one.student for one in pages) == list(STUDENTS)
    assert all(isinstance(one, Graded) and one.peak == 7 for one in graded)


def test_what_is_graded_is_not_graded_again(place, tmp_path, asked):
    first, _ = run(place, tmp_path / "out")
    asked.seen.clear()
    again, pages = run(place, tmp_path / "out")
    assert asked.seen == pages == []
    assert again == first


def test_what_changed_is_graded_again_and_nothing_else(place, tmp_path, asked):
    run(place, tmp_path / "out")
    asked.seen.clear()
    (place / "bob" / NAME).write_text(json.dumps(notebook()))
    run(place, tmp_path / "out")
    assert asked.seen == ["bob"]


def test_other_rules_grade_everything_again(place, tmp_path, asked):
    run(place, tmp_path / "out")
    asked.seen.clear()
    run(place, tmp_path / "out", secret="another")
    assert asked.seen == list(STUDENTS)


def test_a_damaged_result_is_made_again(place, tmp_path, asked):
    first, _ = run(place, tmp_path / "out")
    asked.seen.clear()
    for text in ("", "{", "[]", '{"student": 1}'):
        next(iter(sorted((tmp_path / "out").glob("*.json")))).write_text(text)
        assert run(place, tmp_path / "out")[0] == first
    assert len(asked.seen) == 4


def test_an_interrupted_batch_goes_on_where_it_was(place, tmp_path, asked):
    asked.broken["cleo"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        run(place, tmp_path / "out")
    assert asked.seen == ["ann", "bob", "cleo"]
    asked.seen.clear()
    asked.broken.clear()
    graded, _ = run(place, tmp_path / "out")
    assert asked.seen == ["cleo", "dan"]
    assert [one.student for one in graded] == list(STUDENTS)


def test_a_failure_of_the_grader_is_told_stops_nobody_and_is_tried_again(place, tmp_path, asked):
    asked.broken["bob"] = RuntimeError("no room")
    graded, _ = run(place, tmp_path / "out")
    assert [one.problem for one in graded] == ["", "could not be graded here: RuntimeError: no room", "", ""]
    asked.broken.clear()
    asked.seen.clear()
    graded, _ = run(place, tmp_path / "out")
    assert asked.seen == ["bob"]
    assert [one.problem for one in graded] == [""] * 4


@pytest.fixture
def pools(monkeypatch):
    """Pools of processes that grade in this one, and break when a submission of `deadly` is graded: once for each time it stands there."""
    deadly, seen = [], []

    class Pool:
        def __init__(self, n_jobs, **_):
            self.jobs = n_jobs

        def __call__(self, tasks):
            several = list(itertools.islice(tasks, 2 * self.jobs))  # joblib hands out some ahead
            while several:
                call, arguments, _ = several.pop(0)
                seen.append((arguments[1].student, self.jobs))
                if arguments[1].student in deadly:
                    deadly.remove(arguments[1].student)
                    raise BrokenProcessPool("a worker was killed")
                yield call(*arguments)
                several += itertools.islice(tasks, 1)

    monkeypatch.setattr("joblib.Parallel", Pool)
    return SimpleNamespace(deadly=deadly, seen=seen)


def test_a_killed_worker_costs_its_submission_a_retry_and_the_others_nothing(place, tmp_path, asked, pools):
    pools.deadly += ["bob"]
    graded, pages = run(place, tmp_path / "out", jobs=1)
    assert [one.problem for one in graded] == [""] * 4
    assert len(pages) == 4
    assert [student for student, _ in pools.seen].count("bob") == 2
    assert [jobs for student, jobs in pools.seen if student == "bob"] == [
        1,
        2,
    ]  # never again in the grader's own process


def test_a_submission_that_kills_every_worker_is_told_and_tried_again_next_time(
    place, tmp_path, asked, pools
):
    pools.deadly += ["bob"] * 3
    graded, _ = run(place, tmp_path / "out", jobs=3)
    assert [bool(one.problem) for one in graded] == [False, True, False, False]
    assert (
        "was ended twice; is there enough memory? (BrokenProcessPool: a worker was killed)"
        in graded[1].problem
    )
    pools.seen.clear()
    graded, _ = run(place, tmp_path / "out", jobs=3)
    assert [student for student, _ in pools.seen] == ["bob"]
    assert [one.problem for one in graded] == [""] * 4


def test_who_was_taken_along_by_another_has_tries_left(place, tmp_path, asked, pools):
    pools.deadly += ["ann", "bob"]
    graded, _ = run(place, tmp_path / "out", jobs=2)
    assert [one.problem for one in graded] == [""] * 4
    assert [student for student, _ in pools.seen].count("bob") == 2


def test_where_no_process_starts_everybody_is_told(place, tmp_path, asked, pools):
    pools.deadly += [*STUDENTS] * 9
    graded, _ = run(place, tmp_path / "out", jobs=2)
    assert all("was ended twice" in one.problem for one in graded)


def test_an_answer_that_ends_python_in_the_grader_itself_is_told(place, tmp_path, asked):
    asked.broken["bob"] = SystemExit(3)
    graded, _ = run(place, tmp_path / "out")
    assert [one.problem for one in graded] == ["", "could not be graded here: SystemExit: 3", "", ""]


def test_a_page_that_fails_does_not_end_the_batch(place, tmp_path, asked):
    def fail(one):
        raise TypeError("no page")

    graded = batch.run(
        submissions.find(place).submissions, tmp_path / "out", edition(folder()), Rules("s"), fail
    )
    assert len(graded) == len(list((tmp_path / "out").glob("*.json"))) == 4


def test_a_chapter_that_was_not_handed_out_is_told(place, tmp_path, asked):
    others = {number: made for number, made in edition(folder()).items() if number != "01"}
    graded = batch.run(
        submissions.find(place).submissions, tmp_path / "out", others, Rules("s"), lambda _: None
    )
    assert {one.problem for one in graded} == {"chapter 01 is not part of this edition"}
    assert asked.seen == []


# ---- the command


def grade(*words):
    result = CliRunner().invoke(app, ["grade", *map(str, words)])
    return result.exit_code, result.output


def test_two_runs_with_one_secret_write_the_same_gradebooks(place, tmp_path, asked, sandboxed):
    for out in ("a", "b"):
        assert grade(place, "--out", tmp_path / out, "--secret", "x")[0] == 0
    for name in ("gradebook.csv", "gradebook.json", "feedback/ann/01.html"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert (tmp_path / "a" / "summary.html").exists()
    assert "x" not in os.listdir(tmp_path / "a")
    assert not (tmp_path / "a" / "secret.txt").exists()


def test_without_a_secret_one_is_made_and_kept(place, tmp_path, asked, sandboxed):
    out = tmp_path / "out"
    grade(place, "--out", out)
    secret = (out / "secret.txt").read_text()
    assert len(secret.strip()) == 32
    assert stat.S_IMODE((out / "secret.txt").stat().st_mode) == 0o600
    asked.seen.clear()
    grade(place, "--out", out)
    assert (out / "secret.txt").read_text() == secret
    assert asked.seen == []


def test_a_dry_run_says_what_it_would_grade_and_does_nothing(place, tmp_path, asked, sandboxed):
    (place / "eve").mkdir()
    (place / "eve" / NAME).write_text("")
    code, said = grade(place, "--out", tmp_path / "out", "--dry-run")
    assert code == 0
    assert f"ann: chapter 01, {len(FIRST)} answers, ann/01_forward_process.ipynb" in said
    assert "the file is empty" in said
    assert not (tmp_path / "out").exists()
    assert asked.seen == []


def test_every_entry_is_told_and_counted(place, tmp_path, asked, sandboxed):
    (place / "eve").mkdir()
    (place / "eve" / "essay.pdf").write_bytes(b"")
    (place / ".DS_Store").write_bytes(b"")
    count = "5 entries = 4 rows + 1 lines; 1 ignored (.DS_Store)"
    code, said = grade(place, "--out", tmp_path / "out", "--dry-run")
    assert (code, said.splitlines()[-2]) == (0, count)
    assert "not graded: eve/ (eve): holds no notebook (.ipynb): essay.pdf" in said
    assert len(said.splitlines()) == 5 + 2
    code, said = grade(place, "--out", tmp_path / "out")
    assert code == 0
    assert count in said
    book = json.loads((tmp_path / "out" / "gradebook.json").read_text())
    assert book["lines"] == [
        {"entry": "eve/", "student": "eve", "why": "holds no notebook (.ipynb): essay.pdf"}
    ]
    assert book["entries"] == 5 == sum(len(row["files"]) for row in book["students"]) + len(book["lines"])
    page = (tmp_path / "out" / "summary.html").read_text()
    assert count in page
    assert "Not graded (1)" in page
    assert "<td>eve</td><td>eve/</td><td>holds no notebook (.ipynb): essay.pdf</td>" in page
    blank = "," * (len(FIRST) + 2)  # no points, no total
    assert f"eve{blank}eve/: holds no notebook" in (tmp_path / "out" / "gradebook.csv").read_text()


def test_where_nothing_can_be_graded_everything_is_told(tmp_path, asked, sandboxed):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "ann.pdf").write_bytes(b"")
    code, said = grade(tmp_path / "in", "--out", tmp_path / "out")
    assert code == 0
    assert "1 entries = 0 rows + 1 lines" in said
    assert "ann.pdf: is no notebook" in (tmp_path / "out" / "gradebook.csv").read_text()


@pytest.mark.parametrize("out", [".", "grades", "ann/grades"])
def test_an_output_folder_among_the_submissions_is_no_student(place, asked, sandboxed, monkeypatch, out):
    monkeypatch.chdir(place)
    books = []
    for _ in range(2):
        code, said = grade(".", "--out", out)
        assert code == 0, said
        books.append((place / out / "gradebook.json").read_bytes())
    assert books[0] == books[1]
    assert [row["student"] for row in json.loads(books[0])["students"]] == list(STUDENTS)


def test_a_roster_names_the_students(place, tmp_path, asked, sandboxed):
    table = tmp_path / "students.csv"
    table.write_text("file,student,name,id\nann,alee,Ann Lee,moodle:7\n,zoe,,\n")
    code, said = grade(place, "--out", tmp_path / "out", "--roster", table, "--format", "moodle")
    assert code == 0, said
    book = json.loads((tmp_path / "out" / "gradebook.json").read_text())
    assert (book["students"][0]["student"], book["students"][0]["id"]) == ("alee", "moodle:7")
    told, absent = book["lines"]
    assert absent == {"entry": "", "student": "zoe", "why": "handed in nothing"}
    assert told["why"].startswith(
        "not in the roster, graded under the names they have: bob/01_forward_process.ipynb; "
    )
    assert "Participant 7,Ann Lee,,alee,4," in (tmp_path / "out" / "gradebook.csv").read_text()


def test_a_second_grader_is_refused_in_one_line(place, tmp_path, asked, sandboxed):
    with lock.held(tmp_path / "out"):
        code, said = grade(place, "--out", tmp_path / "out")
    assert code == 2
    assert re.fullmatch(
        r"error: --out: .*out is in use by process \d+ on .*; wait for it, or take another folder\n", said
    )
    assert asked.seen == []


@pytest.mark.parametrize(
    "name", ["\x1b[2J\x1b[31mann", "ann\nbob: chapter 01, 3 answers", "\u202eann", "ann\x9b31m"]
)
def test_no_name_reaches_the_terminal_as_more_than_text(place, tmp_path, asked, sandboxed, name):
    (place / "ann").rename(place / name)
    (place / name / f"{name}.pdf").write_bytes(b"")
    table = tmp_path / "students.csv"
    table.write_text(f'file,student\n"{name}",Zoe\n"{name}/",Ann\n')
    for words in (["--dry-run"], [], ["--roster", table]):
        code, said = grade(place, "--out", tmp_path / "out", *words)
        assert code == (2 if table in words else 0), said
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", said.replace("\r", "").replace("\t", ""))
    assert sum(line.startswith("bob: chapter") for line in grade(place, "--dry-run")[1].splitlines()) == 1
    csv = (tmp_path / "out" / "gradebook.csv").read_text()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", csv)


def test_a_page_that_cannot_be_written_is_told_and_made_the_next_time(
    place, tmp_path, asked, sandboxed, monkeypatch
):
    real = pages.write_feedback

    def fail(out, one, worth):
        if one.student == "bob":
            raise TypeError("no page")
        real(out, one, worth)

    monkeypatch.setattr(pages, "write_feedback", fail)
    code, said = grade(place, "--out", tmp_path / "out")
    assert code == 0, said
    book = json.loads((tmp_path / "out" / "gradebook.json").read_text())
    assert book["lines"][0]["student"] == "bob"
    assert "TypeError: no page" in book["lines"][0]["why"]
    monkeypatch.setattr(pages, "write_feedback", real)
    asked.seen.clear()
    grade(place, "--out", tmp_path / "out")
    assert (tmp_path / "out" / "feedback" / "bob" / "01.html").exists()
    assert asked.seen == []


def test_a_summary_that_fails_leaves_the_gradebook(place, tmp_path, asked, sandboxed, monkeypatch):
    monkeypatch.setattr(pages, "summary", lambda *_: 1 / 0)
    code, said = grade(place, "--out", tmp_path / "out")
    assert code == 0
    assert "WARNING: " in said
    assert (tmp_path / "out" / "gradebook.csv").exists()


def test_without_a_sandbox_it_is_loud_and_refuses_where_one_is_required(place, tmp_path, asked, monkeypatch):
    monkeypatch.setattr(sandbox, "available", lambda: Isolation("limits", "no bwrap here"))
    code, said = grade(place, "--out", tmp_path / "out", "--require-sandbox")
    assert (code, said) == (2, "error: --require-sandbox: no bwrap here\n")
    assert not (tmp_path / "out").exists()
    assert asked.seen == []
    code, said = grade(place, "--out", tmp_path / "out")
    assert code == 0
    assert "WARNING: the submissions run WITHOUT a sandbox: no bwrap here." in said
    assert "NONE" in (tmp_path / "out" / "summary.html").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--format", "moodel"], "unknown format 'moodel': did you mean 'moodle'?"),
        (["--library", "zeros"], "unknown library policy 'zeros': did you mean 'zero'?"),
        (["--backend", "spark"], "unknown backend 'spark'"),
        (["--backend", "dask"], "--scheduler: the dask backend needs one"),
        (
            ["--backend", "dask", "--scheduler", "tcp://127.0.0.1:1"],
            "--scheduler: tcp://127.0.0.1:1 does not answer",
        ),
        (["--release", "nowhere"], "there is no chapter NN_name.ipynb in nowhere"),
        (["--out", "/proc/grades"], "cannot write /proc/grades"),
    ],
)
def test_a_bad_option_is_one_line(place, asked, sandboxed, tmp_path, monkeypatch, words, message):
    monkeypatch.setattr(command, "PATIENCE", 0.5)
    code, said = grade(place, *(["--out", tmp_path / "out"] if "--out" not in words else []), *words)
    assert code == 2
    assert f"error: {message}" in said
    assert "Traceback" not in said


def test_a_folder_that_is_not_there_is_one_line(tmp_path):
    code, said = grade(tmp_path / "nothing")
    assert code == 2
    assert said.startswith("error: ")
    assert said.count("\n") == 1


def test_a_release_sets_chapters_and_points(place, tmp_path, asked, sandboxed):
    points = tmp_path / "points.yaml"
    points.write_text("01-diffuse: 5\n")
    done = CliRunner().invoke(
        app, ["release", "1", "--points", str(points), "--hide", "01-snr", "--out", str(tmp_path / "edition")]
    )
    assert done.exit_code == 0, done.output
    grade(place, "--out", tmp_path / "out", "--release", tmp_path / "edition")
    book = json.loads((tmp_path / "out" / "gradebook.json").read_text())
    assert book["exercises"] == {e: p for e, p in (FIRST | {"01-diffuse": 5}).items() if e != "01-snr"}


# ---- more than one machine


@pytest.mark.notebook
def test_a_dask_cluster_of_two_processes_gives_the_same_marks(tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed")
    if not sandbox.available().safe:
        pytest.skip(f"no sandbox: {sandbox.available().why}")
    every = kinds(tmp_path / "in")
    for name in ("correct", "partly-right", "kernel-killed"):
        plant(tmp_path / "in", name, every[name])
    words = [tmp_path / "in", "--secret", "s", "--cell-seconds", "20", "--require-sandbox"]
    settings = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with distributed.LocalCluster(**settings) as cluster:
        dask = ["--backend", "dask", "--scheduler", cluster.scheduler_address, "--jobs", "2"]
        code, said = grade(*words, "--out", tmp_path / "dask", *dask)
    assert code == 0, said
    assert grade(*words, "--out", tmp_path / "here", "--jobs", "2")[0] == 0
    books = [(tmp_path / out / "gradebook.json").read_text() for out in ("dask", "here")]
    assert books[0] == books[1]
    totals = {row["student"]: row["total"] for row in json.loads(books[0])["students"]}
    assert totals == {"correct": 7, "partly-right": 5, "kernel-killed": 5}


def test_find_refuses_what_is_no_folder(tmp_path):
    with pytest.raises(CourseError, match="in"):
        submissions.find(tmp_path / "in")
