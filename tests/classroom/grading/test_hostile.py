"""One batch with every kind of submission: each gets its points and its remark, whatever the others do."""

import json
import re
import shutil
import socket
import sys
import threading
from pathlib import Path

import psutil
import pytest
from planted import CHAPTERS, ROOT, kinds, plant

from diffusion_course.classroom import handout
from diffusion_course.classroom.grading import command, sandbox

KINDS = kinds(Path("/nowhere"))


@pytest.fixture(scope="module")
def batch(tmp_path_factory):
    """All kinds graded in one run: student -> (row of gradebook.json, marks by exercise). calls: who used the network."""
    if not sandbox.available().safe:
        pytest.skip(f"no sandbox: {sandbox.available().why}")
    place, out = tmp_path_factory.mktemp("submissions"), tmp_path_factory.mktemp("grades")
    calls: list = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_listen, args=(server, calls), daemon=True).start()
        for name, kind in kinds(place, server.getsockname()[1]).items():
            plant(place, name, kind)
        for path in (ROOT / "solutions").glob("*.ipynb"):
            (place / "solved").mkdir(exist_ok=True)
            shutil.copy(path, place / "solved")
        # No answer is stopped for the machine: the dearest verdict takes 3 s of CPU, and here four processes share two cores.
        options = command.Options(jobs=2, cell_seconds=30, secret="s", require_sandbox=True)
        command.run(place, out, options, print)
    rows = {row["student"]: row for row in json.loads((out / "gradebook.json").read_text())["students"]}
    stored = [json.loads(path.read_text()) for path in (out / "graded").glob("*.json")]
    marks = {(one["student"], m["exercise"]): m for one in stored for m in one["marks"]}
    return rows, marks, calls, place, out


def _listen(server, calls):
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        calls.append(connection)


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_gets_its_points_and_its_remark(batch, name):
    rows, marks, *_ = batch
    kind, row = KINDS[name], rows[name]
    told = "\n".join(flag for one in row["files"] for flag in one["look at"])
    assert row["total"] == kind.points, (row, [m for (who, _), m in marks.items() if who == name])
    if kind.flag:
        assert re.search(kind.flag, told)
    else:
        assert told == ""
    if kind.hint:
        assert re.search(kind.hint, marks[name, kind.wrong]["hint"])


def test_nobody_is_lost(batch):
    rows, *_ = batch
    assert sorted(rows) == sorted([*KINDS, "solved"])


def test_the_solutions_of_all_chapters_get_full_marks(batch):
    rows, *_ = batch
    exercises = {e: x for c in CHAPTERS for e, x in handout.exercises(handout.read(c)).items()}
    marks = rows["solved"]["marks"]
    by_hand = {e for e, x in exercises.items() if x.rubric}  # these wait for a person
    assert {e: m for e, m in marks.items() if e not in by_hand and m["points"] != exercises[e].points} == {}
    assert marks.keys() == exercises.keys()
    assert {e for e, mark in marks.items() if "waits" in str(mark["flags"])} == by_hand
    told = [flag for one in rows["solved"]["files"] for flag in one["look at"]]
    assert all("waits for a person" in flag for flag in told), told


def test_nothing_was_written_outside_and_nobody_called(batch):
    _, _, calls, place, _ = batch
    places = ("/tmp", "/etc", "/usr", "/", sys.prefix, sys.base_prefix)
    for path in (ROOT / "pwned", place / "pwned", *(Path(folder) / "dc-pwned" for folder in places)):
        assert not path.exists()
    assert not list(place.parent.rglob("evil.ipynb"))
    assert calls == []


def test_no_process_is_left(batch):
    left = [p for p in psutil.process_iter(["cmdline"]) if "dc-leftover" in " ".join(p.info["cmdline"] or [])]
    assert left == []


def test_pages_and_gradebook_say_nothing_of_the_solutions(batch):
    *_, out = batch
    page = (out / "feedback" / "partly-right" / "01.html").read_text()
    assert "alpha_bar / (1 - alpha_bar)" not in page
    assert "a.sqrt()" in page  # the student's own code is there
