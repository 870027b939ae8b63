"""Notebooks as students save them, folders and zips of them: what the tests of intake share."""

import copy
import io
import json
import zipfile
from pathlib import Path

from diffusion_course.classroom import handout
from diffusion_course.classroom.checks import CHECKS
from diffusion_course.classroom.grading.submissions import find

FIRST, SECOND, THIRD = "03-x0_from_eps", "03-eps_loss", "03-ddpm_step"
OTHERS = {check for check in CHECKS if check[:2] == "03"} - {FIRST, SECOND, THIRD}
NAMES = {name[:2]: f"{name}.ipynb" for name in handout.names()}


def written(exercise, body="    return 1\n"):
    return f"# EXERCISE {exercise} (keep this line)\ndef {exercise[3:]}(*args):\n{body}"


def notebook(chapter="03", solved=(FIRST, SECOND, THIRD)):
    """A chapter as a student saves it, with some exercises written; chapter 03 with three of its exercises."""
    raw = json.loads(json.dumps(copy.deepcopy(handout.read(chapter))))
    raw["cells"] = [cell for cell in raw["cells"] if exercise_of(cell) not in OTHERS]
    for cell in raw["cells"]:
        exercise = exercise_of(cell)
        if exercise in solved:
            cell["source"] = written(exercise)
    return raw


def exercise_of(cell):
    return cell["metadata"].get("course", {}).get("id")


def dumped(raw):
    return json.dumps(raw).encode()


GOOD = dumped(notebook())
ONE = dumped(notebook("01", ("01-snr",)))
BLANK = dumped(notebook(solved=()))
TINY = dumped({"nbformat": 4, "cells": [{"cell_type": "code", "metadata": {}, "source": written(FIRST)}]})


def put(folder: Path, files: dict) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else dumped(content))
    return folder


def alone(folder: Path, content, name="ann/03_epsilon_loss.ipynb"):
    """The one submission that a folder with this one file gives."""
    (only,) = find(put(folder, {name: content})).submissions
    return only


def zipped(files: dict, compression=zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def rows(found):
    """Path -> student."""
    return {s.path: s.student for s in found.submissions}


def lines(found):
    """Entry -> why, of what was handed in and has no row."""
    return {line.entry: str(line.trouble) for line in found.lines if line.entry}


def remarks(found):
    """What is told of no entry alone: (student, text)."""
    return [(line.student, str(line.trouble)) for line in found.lines if not line.entry]
