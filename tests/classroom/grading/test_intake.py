"""What is in folders and zips, and what is never opened, read or unpacked: everything in is a row or a line."""

import io
import os
import socket
import subprocess
import tempfile
import zipfile
from pathlib import Path

import pytest
from handed import BLANK, GOOD, TINY, lines, put, remarks, rows, zipped
from hypothesis import given, settings
from hypothesis import strategies as st

from diffusion_course.classroom.grading import entries
from diffusion_course.classroom.grading.submissions import find
from diffusion_course.errors import CourseError


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
    inner = zipped({"own/03_epsilon_loss.ipynb": GOOD, "own/data.csv": b"", "__MACOSX/own/._03.ipynb": b"x"})
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
            "also holds files that are no notebooks: hand-in.zip/own/data.csv",
        ),
        ("eve/", "eve", "holds no notebook (.ipynb): empty.zip/a.txt"),
        ("fay.zip", "fay", "holds no notebook (.ipynb): a.txt"),
        ("gus/cut.zip", "gus", "is a broken zip (BadZipFile: File is not a zip file)"),
        ("leebob_8_815_hand-in.zip", "leebob", "also holds files that are no notebooks: own/data.csv"),
    ]
    assert found.submissions[0].path == "Ann_7_assignsubmission_file_/hand-in.zip/own/03_epsilon_loss.ipynb"


def test_zips_in_zips_are_opened_up_to_a_depth(tmp_path):
    made = TINY
    for level in range(6):
        made = zipped({f"{level}.zip" if level else "03.ipynb": made})
        found = find(put(tmp_path / str(level), {"ann/x.zip": made, "bob/03.ipynb": TINY}))
        assert ("ann" in rows(found).values()) == (level < entries.NESTED)
        if level >= entries.NESTED:
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
    bomb = zipped({"ann/03.ipynb": b"0" * (entries.LARGEST + 1), "bob/03.ipynb": GOOD})
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
    assert list(rows(found).values()).count("ann") == entries.MOST
    assert lines(found) == {"ann/x.zip": "holds more than 50 notebooks; the others are not read"}


@pytest.mark.parametrize("cut", range(0, 400, 37))
def test_a_damaged_zip_never_stops_the_others(tmp_path, cut):
    raw = bytearray(zipped({"a/03.ipynb": GOOD[:300]}))
    raw[cut % len(raw)] ^= 0xFF
    found = find(put(tmp_path, {"ann/x.zip": bytes(raw), "bob/03.ipynb": GOOD}))
    assert [s.student for s in found.submissions if s.answers] == ["bob"]
    assert "ann" in {*rows(found).values(), *(line.student for line in found.lines)}


# Folders.


def test_an_unreadable_folder_is_told_with_the_reason(tmp_path, monkeypatch):
    put(
        tmp_path,
        {"ann/03.ipynb": TINY, "ann/locked/03.ipynb": TINY, "bob/03.ipynb": TINY, "eve/03.ipynb": TINY},
    )
    real = os.scandir

    def scandir(path):
        if str(path).endswith(("locked", "eve")):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = find(tmp_path)
    assert set(rows(found).values()) == {"ann", "bob"}
    assert [(line.entry, line.student, str(line.trouble)) for line in found.lines] == [
        ("ann/locked", "ann", "cannot be read (Permission denied)"),
        ("eve", "eve", "cannot be read (Permission denied)"),
    ]


def test_sockets_and_devices_are_told_and_not_opened(tmp_path):
    put(tmp_path, {"ann/x.ipynb": TINY, "bob/x.ipynb": TINY})
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "ann/03.ipynb"))
    (tmp_path / "bob/data").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe.txt")
    found = find(tmp_path)
    assert {s.path: s.problem for s in found.submissions if s.problem} == {
        "ann/03.ipynb": "the file is a socket, not a file"
    }
    assert lines(found) == {
        "bob/data": "is a link; links are not followed",
        "pipe.txt": "is a pipe, not a file",
    }


def test_deep_folders_are_told(tmp_path):
    deep = tmp_path / "ann"
    put(tmp_path, {"ann/03.ipynb": TINY, "bob/03.ipynb": TINY})
    here = os.getcwd()
    try:
        for name in ("ann", *["d"] * 300):
            os.chdir(tmp_path) if name == "ann" else None
            os.makedirs(name, exist_ok=True)
            os.chdir(name)
    finally:
        os.chdir(here)
    found = find(tmp_path)
    assert set(rows(found).values()) == {"ann", "bob"}
    assert list(lines(found).values()) == ["holds folders deeper than 40 levels; what lies below is not read"]
    deepest = "/".join(["zoe", *["d"] * 60, "by eve.ipynb"])
    (told,) = lines(find(put(tmp_path / "named", {deepest: TINY, "bob/03.ipynb": TINY}))).values()
    (zip_told,) = lines(
        find(put(tmp_path / "zipped", {"zoe.zip": zipped({deepest: TINY}), "bob.ipynb": TINY}))
    ).values()
    assert told == zip_told
    assert told.endswith("is not read: by eve.ipynb")
    subprocess.run(["rm", "-rf", deep], check=True)


def test_the_output_folder_is_left_out_wherever_it_lies(tmp_path):
    output = {
        "gradebook.json": b"",
        "gradebook.csv": b"",
        "graded/0.json": b"",
        "feedback/ann/03.html": b"",
        "secret.txt": b"",
    }
    files = {"ann/03.ipynb": TINY, "bob/03.ipynb": TINY}
    for out in ("grades", "bob/grades", "deep/er/grades"):
        place = put(
            tmp_path / out.replace("/", "-"), files | {f"{out}/{name}": text for name, text in output.items()}
        )
        found = find(place, leave_out=(place / out,))
        assert sorted(rows(found)) == ["ann/03.ipynb", "bob/03.ipynb"]
    old = find(put(tmp_path / "old", files | {f"grades-2025/{name}": text for name, text in output.items()}))
    assert lines(old) == {"grades-2025": "is an output folder of grading; it is left out"}
    same = put(tmp_path / "same", files | output)
    assert (set(rows(find(same, leave_out=(same,)))), lines(find(same))) == (set(files), {})


# Everything in is a row or a line.

NAMES_IN = st.sampled_from(
    [
        "ann",
        "bob",
        "Ann",
        "03.ipynb",
        "x.ipynb.txt",
        "hw.pdf",
        "a.zip",
        ".DS_Store",
        "__MACOSX",
        "notebooks",
        "solutions",
    ]
)
PATHS = st.lists(NAMES_IN, min_size=1, max_size=4).map(tuple)
CONTENT = st.sampled_from(
    [
        TINY,
        BLANK,
        b"",
        b"{",
        zipped({"03.ipynb": TINY, "b/x.txt": b""}),
        zipped({"y.zip": zipped({"z.ipynb": TINY})}),
    ]
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(PATHS, CONTENT, max_size=10), st.booleans())
def test_entries_in_are_rows_and_lines_whatever_lies_in_the_folder(tree, packed):
    files = {p: c for p, c in tree.items() if not any(p == other[: len(p)] and p != other for other in tree)}
    with tempfile.TemporaryDirectory() as place:
        named = {"/".join(parts): content for parts, content in files.items()}
        if packed:
            where = put(Path(place), {"all.zip": zipped(named)}) / "all.zip"
        else:
            where = put(Path(place) / "all", named)
            where.mkdir(exist_ok=True)
        if all(parts[0] in (".DS_Store", "__MACOSX") for parts in files):
            with pytest.raises(CourseError, match="nothing to grade"):
                find(where)
            return
        found = find(where)
    told = [line.entry for line in found.lines if line.entry]
    assert found.entries == len(found.submissions) + len(told) == len({*rows(found), *told})
    assert "was lost" not in " ".join(map(str, found.lines))
    tops = {parts[0] for parts in files if parts[0] not in (".DS_Store", "__MACOSX")}
    if not found.count().startswith("0") and not remarks(found) and not any(t.endswith(".zip") for t in tops):
        assert {path.split("/")[0].split(" (")[0] for path in (*rows(found), *told)} == tops
    assert len({s.page for s in found.submissions}) == len(found.submissions)
