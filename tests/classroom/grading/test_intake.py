"""Intake."""

import io
import os
import zipfile
from pathlib import Path

import pytest
from handed import *

from diffusion_course.classroom.grading import intake
from diffusion_course.classroom.grading.submissions import find


def test_a_huge_file_is_not_read(tmp_path, monkeypatch):
    put(tmp_path, {"ann/03.ipynb": b""})
    os.truncate(tmp_path / "ann/03.ipynb", 200_000_000)
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail("it was read"))
    (one,) = find(tmp_path).submissions
    assert one.problem == "the file has 200 MB; 20 MB is the most"


def test_links_pipes_and_folders_are_not_opened(tmp_path):
    secret = put(tmp_path / "outside", {"03.ipynb": GOOD})
    inside = tmp_path / "in"
    for name in ("link", "pipe", "folder", "deep", "dead"):
        (inside / name).mkdir(parents=True)
    (inside / "link/03.ipynb").symlink_to(secret / "03.ipynb")
    (inside / "dead/03.ipynb").symlink_to("nowhere")
    os.mkfifo(inside / "pipe/03.ipynb")
    (inside / "folder/03.ipynb").mkdir()
    (inside / "deep/all").symlink_to(secret)
    problems = {s.student: s.problem for s in find(inside).submissions}
    assert problems == {
        "link": "the file is a link or no plain file",
        "dead": "the file is a link or no plain file",
        "pipe": "the file is a link or no plain file",
        "folder": "the file is a folder, not a file",
        "deep": "no notebook (.ipynb) found: the folder is empty or a link",
    }


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read everything")
def test_a_file_without_permission(tmp_path):
    put(tmp_path, {"ann/03.ipynb": GOOD})
    (tmp_path / "ann/03.ipynb").chmod(0)
    (one,) = find(tmp_path).submissions
    assert "cannot be read" in one.problem


def test_a_zip_gives_what_its_folder_gives(tmp_path):
    names = ["Ann Lee_4711_assignsubmission_file_/03.ipynb", "Bob_4712_assignsubmission_file_/x/03.ipynb"]
    files = {**dict.fromkeys(names, GOOD), "Eve_4713_assignsubmission_file_/essay.pdf": b"x"}
    folder = put(tmp_path / "folder", files)
    plain = put(tmp_path, {"export.zip": zipped(files)}) / "export.zip"
    wrapped = put(tmp_path, {"all.zip": zipped({f"all/{n}": c for n, c in files.items()})}) / "all.zip"
    assert find(folder).submissions == find(plain).submissions == find(wrapped).submissions
    assert [p.name for p in tmp_path.iterdir()].count("export") == 0


def test_a_zip_that_a_student_handed_in(tmp_path):
    inner = zipped(
        {"work/03_epsilon_loss.ipynb": GOOD, "work/data.csv": b"", "__MACOSX/work/._03.ipynb": b"x"}
    )
    files = {"Ann_7_assignsubmission_file_/hand-in.zip": inner, "leebob_8_815_hand-in.zip": inner}
    files |= {
        "eve/empty.zip": zipped({"a.txt": b""}),
        "fay.zip": zipped({"a.txt": b""}),
        "gus/cut.zip": inner[:-30],
    }
    found = find(put(tmp_path, files)).submissions
    assert [(s.student, s.lms_id, len(s.answers)) for s in found] == [
        *(("Ann", "moodle:7", 3), ("eve", "", 0), ("fay", "", 0), ("gus", "", 0), ("leebob", "canvas:8", 3))
    ]
    assert [s.problem for s in found] == [
        "",
        "no notebook (.ipynb) found: empty.zip",
        "no notebook (.ipynb) found: fay.zip",
        "the file is a broken zip (File is not a zip file)",
        "",
    ]
    assert found[0].path == "Ann_7_assignsubmission_file_/hand-in.zip/work/03_epsilon_loss.ipynb"


def test_a_zip_in_a_zip_is_told(tmp_path):
    export = zipped({"ann/hand-in.zip": zipped({"03.ipynb": GOOD}), "bob/03.ipynb": GOOD})
    found = find(put(tmp_path, {"export.zip": export}) / "export.zip").submissions
    assert [s.problem for s in found] == [
        "no notebook (.ipynb) found: hand-in.zip; a zip in a zip is not opened",
        "",
    ]


@pytest.mark.parametrize(
    "name",
    [
        "../../evil.ipynb",
        "/etc/evil.ipynb",
        "ann/../../evil.ipynb",
        "C:/evil.ipynb",
        "ann\\evil.ipynb",
        "..\\evil.ipynb",
    ],
)
def test_names_that_lead_out_of_a_zip_are_refused(tmp_path, name):
    found = find(put(tmp_path, {"export.zip": zipped({name: GOOD, "zoe/03.ipynb": GOOD})}) / "export.zip").submissions
    refused = [s for s in found if s.problem]
    assert [s.problem for s in refused] == ["the file has a name in the zip that leads out of its folder"]
    assert [s.student for s in found if not s.problem] == ["zoe"]
    assert all(".." not in s.page and not s.page.startswith("/") for s in found)


def test_an_encrypted_entry_a_link_and_an_odd_compression_are_refused(tmp_path):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name in ("locked", "link", "good"):
            entry = zipfile.ZipInfo(f"{name}/03.ipynb")
            entry.external_attr = (0o120777 if name == "link" else 0o644) << 16
            archive.writestr(entry, b"/etc/passwd" if name == "link" else GOOD)
        archive.writestr("odd/03.ipynb", GOOD, zipfile.ZIP_LZMA)
    raw = bytearray(made.getvalue())
    central = raw.index(b"PK\x01\x02")
    raw[6] |= 1
    raw[central + 8] |= 1
    found = find(put(tmp_path, {"x.zip": bytes(raw)}) / "x.zip").submissions
    assert {s.student: s.problem for s in found} == {
        "locked": "the file is encrypted in the zip",
        "link": "the file is a link",
        "good": "",
        "odd": "the file is compressed in an unusual way; make the zip again",
    }


def test_a_bomb_is_never_unpacked(tmp_path, monkeypatch):
    bomb = zipped({"ann/03.ipynb": b"0" * (intake.LARGEST + 1), "bob/03.ipynb": GOOD})
    opened = []
    real = zipfile.ZipFile.open
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda z, e, *a: opened.append(e.filename) or real(z, e, *a))
    found = find(put(tmp_path, {"x.zip": bomb}) / "x.zip").submissions
    assert [s.problem for s in found] == ["the file has 20 MB; 20 MB is the most", ""]
    assert opened == ["bob/03.ipynb"]


def test_a_bomb_that_lies_about_its_size_is_damaged(tmp_path):
    raw = bytearray(zipped({"ann/03.ipynb": b"0" * 30_000_000, "bob/03.ipynb": GOOD}))
    true = (30_000_000).to_bytes(4, "little")
    while true in raw:
        place = raw.index(true)
        raw[place : place + 4] = (1000).to_bytes(4, "little")
    found = find(put(tmp_path, {"x.zip": bytes(raw)}) / "x.zip").submissions
    assert [s.problem for s in found] == ["the file is damaged in the zip (BadZipFile)", ""]


def test_a_zip_with_too_many_notebooks_is_cut_off(tmp_path):
    inner = zipped({f"{n:03}.ipynb": b"{}" for n in range(80)})
    found = find(put(tmp_path, {"ann/x.zip": inner, "bob/03.ipynb": GOOD})).submissions
    assert sum(s.student == "ann" for s in found) == intake.MOST + 1
    assert sum("more than 50 notebooks" in s.problem for s in found) == 1


@pytest.mark.parametrize("cut", range(0, 400, 37))
def test_a_damaged_zip_never_stops_the_others(tmp_path, cut):
    raw = bytearray(zipped({"a/03.ipynb": GOOD[:300]}))
    raw[cut % len(raw)] ^= 0xFF
    found = find(put(tmp_path, {"ann/x.zip": bytes(raw), "bob/03.ipynb": GOOD})).submissions
    assert [s.student for s in found if s.answers] == ["bob"]
    assert "ann" in {s.student for s in found}


