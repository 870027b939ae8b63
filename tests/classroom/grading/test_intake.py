"""Intake."""

import io
import os
import zipfile
from pathlib import Path

import pytest
from handed import GOOD, TINY, lines, put, rows, zipped

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
    found = find(inside)
    assert {s.student: s.problem for s in found.submissions} == {
        "link": "the file is a link; links are not followed",
        "dead": "the file is a link; links are not followed",
        "pipe": "the file is a pipe, not a file",
    }
    assert lines(found) == {
        "deep/all": "is a link; links are not followed",
        "folder/03.ipynb": "is a folder, not a file",
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
    found = find(put(tmp_path, files))
    assert [(s.student, s.lms_id, len(s.answers)) for s in found.submissions] == [
        ("Ann", "moodle:7", 3),
        ("leebob", "canvas:8", 3),
    ]
    assert [(line.entry, line.student, str(line.trouble)) for line in found.lines] == [
        (
            "Ann_7_assignsubmission_file_/",
            "Ann",
            "also holds files that are no notebooks: hand-in.zip/work/data.csv",
        ),
        ("eve/", "eve", "holds no notebook (.ipynb): empty.zip/a.txt"),
        ("fay.zip", "fay", "holds no notebook (.ipynb): a.txt"),
        ("gus/cut.zip", "gus", "is a broken zip (BadZipFile: File is not a zip file)"),
        ("leebob_8_815_hand-in.zip", "leebob", "also holds files that are no notebooks: work/data.csv"),
    ]
    assert found.submissions[0].path == "Ann_7_assignsubmission_file_/hand-in.zip/work/03_epsilon_loss.ipynb"


def test_zips_in_zips_are_opened_up_to_a_depth(tmp_path):
    made = TINY
    for level in range(6):
        made = zipped({f"{level}.zip" if level else "03.ipynb": made})
        found = find(put(tmp_path / str(level), {"ann/x.zip": made, "bob/03.ipynb": TINY}))
        assert ("ann" in rows(found).values()) == (level < intake.NESTED)
        if level >= intake.NESTED:
            assert "is a zip in 3 other zips; it is not opened" in lines(found).values()


def test_a_zip_that_holds_itself_without_end_is_cut_off(tmp_path):
    inner = zipped({f"{n}.zip": b"" for n in range(300)})
    found = find(put(tmp_path, {"ann/x.zip": zipped({f"{n}.zip": inner for n in range(60)})}))
    assert found.entries == found.told < 5000
    assert any("more than 50 zips" in why for why in lines(found).values())


@pytest.mark.parametrize(
    "name",
    [
        "../../evil.ipynb",
        "/etc/evil.ipynb",
        "ann/../../evil.ipynb",
        "C:/evil.ipynb",
        "..\\evil.ipynb",
    ],
)
def test_names_that_lead_out_of_a_zip_are_refused(tmp_path, name):
    export = zipped({name: GOOD, "zoe/03.ipynb": GOOD})
    found = find(put(tmp_path, {"export.zip": export}) / "export.zip").submissions
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
        "link": "the file is a link; links are not followed",
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
    found = find(put(tmp_path, {"ann/x.zip": inner, "bob/03.ipynb": GOOD}))
    assert list(rows(found).values()).count("ann") == intake.MOST
    assert lines(found) == {"ann/x.zip": "holds more than 50 notebooks; the others are not read"}


@pytest.mark.parametrize("cut", range(0, 400, 37))
def test_a_damaged_zip_never_stops_the_others(tmp_path, cut):
    raw = bytearray(zipped({"a/03.ipynb": GOOD[:300]}))
    raw[cut % len(raw)] ^= 0xFF
    found = find(put(tmp_path, {"ann/x.zip": bytes(raw), "bob/03.ipynb": GOOD}))
    assert [s.student for s in found.submissions if s.answers] == ["bob"]
    assert "ann" in {*rows(found).values(), *(line.student for line in found.lines)}
