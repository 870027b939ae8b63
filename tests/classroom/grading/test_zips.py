"""Names in zips, as macOS, Windows and Linux write them."""

import io
import struct
import zipfile
import zlib

import pytest
from handed import TINY, lines, put, rows, zipped

from diffusion_course.classroom.grading import zips
from diffusion_course.classroom.grading.submissions import find
from diffusion_course.errors import CourseError


def raw_zip(names, extra=lambda raw: b""):
    """A zip whose members have these bytes for names, and no flag that says what they are."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for number, name in enumerate(names):
            entry = zipfile.ZipInfo("n" * (len(name) - 1) + str(number))
            entry.extra = extra(name)
            archive.writestr(entry, TINY)
    content = made.getvalue()
    for number, name in enumerate(names):
        content = content.replace(b"n" * (len(name) - 1) + str(number).encode(), name)
    return content


def unicode_path(written, of=None):
    data = b"\x01" + struct.pack("<I", zlib.crc32(of)) + written
    return struct.pack("<HH", zips.UNICODE_PATH, len(data)) + data


@pytest.mark.parametrize(
    ("raw", "student"),
    [
        ("Zoé/03.ipynb".encode(), "Zoé"),
        ("Zoé/03.ipynb".encode("cp437"), "Zoé"),
        ("李/03.ipynb".encode(), "李"),
        (b"Ann Lee\\03.ipynb", "Ann Lee"),
        (b"M\xf5\xf6/03.ipynb", "M⌡÷"),
    ],
)
def test_a_name_without_a_flag(tmp_path, raw, student):
    found = find(put(tmp_path, {"x.zip": raw_zip([raw, b"bob/03.ipynb"])}) / "x.zip")
    assert sorted(rows(found).values()) == sorted([student, "bob"])
    assert lines(found) == {}


def test_the_name_in_the_extra_field_is_taken_where_it_belongs_to_the_member(tmp_path):
    raw = b"Zo?/03.ipynb"
    right = raw_zip(
        [raw, b"b/03.ipynb"], lambda name: unicode_path("Zoé/03.ipynb".encode(), name) if name == raw else b""
    )
    wrong = raw_zip([raw, b"b/03.ipynb"], lambda name: unicode_path(b"eve/03.ipynb", b"another"))
    assert set(rows(find(put(tmp_path, {"x.zip": right}) / "x.zip")).values()) == {"Zoé", "b"}
    assert set(rows(find(put(tmp_path, {"x.zip": wrong}) / "x.zip")).values()) == {"Zo?", "b"}


def test_names_that_differ_in_bytes_alone_stay_two(tmp_path):
    found = find(put(tmp_path, {"x.zip": raw_zip([b"M\xfcller/03.ipynb", b"M\xf6ller/03.ipynb"])}) / "x.zip")
    assert len(set(rows(found).values())) == 2


def test_a_name_that_is_there_twice_is_graded_twice(tmp_path):
    made = zipped(
        {f"{n}/03.ipynb": TINY for n in ("ann", "anm")} | {f"{n}.ipynb": TINY for n in ("bob", "bom")}
    )
    made = made.replace(b"anm", b"ann").replace(b"bom", b"bob")
    found = find(put(tmp_path, {"x.zip": made}) / "x.zip")
    assert sorted(rows(found)) == ["ann/03.ipynb", "ann/03.ipynb (2)", "bob.ipynb", "bob.ipynb (2)"]
    assert len(set(rows(found).values())) == 3  # nobody knows whether the two bobs are one
    assert sum("several files of this name" in " ".join(s.notes) for s in found.submissions) == 2


def test_what_is_no_notebook_and_leads_out_is_told(tmp_path):
    found = find(
        put(tmp_path, {"ann/x.zip": zipped({"../../etc/cron": b"", "03.ipynb": TINY}), "bob.ipynb": TINY})
    )
    assert lines(found) == {"ann/x.zip/etc/cron": "has a name in the zip that leads out of its folder"}


def test_many_members_are_not_listed(tmp_path):
    many = zipped({f"{n}.txt": b"" for n in range(20_001)}, zipfile.ZIP_STORED)
    found = find(put(tmp_path, {"ann/x.zip": many, "bob.ipynb": TINY}))
    assert lines(found) == {"ann/x.zip": "holds more than 20,000 files; the others are not read"}


def test_a_member_that_is_listed_many_times_is_one(tmp_path):
    made = zipped({"03.ipynb": TINY}, zipfile.ZIP_STORED)
    central, end = made.index(b"PK\x01\x02"), made.index(b"PK\x05\x06")
    listed = made[central:end] * 300
    tail = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 300, 300, len(listed), central, 0)
    found = find(put(tmp_path, {"ann.zip": made[:central] + listed + tail, "bob.ipynb": TINY}))
    assert rows(found) == {"ann.zip/03.ipynb": "ann", "bob.ipynb": "bob"}


def test_a_name_that_is_there_twice_in_a_students_zip_is_the_students(tmp_path):
    made = zipped({"x/03.ipynb": TINY, "y/03.ipynb": TINY}).replace(b"y/03", b"x/03")
    found = find(put(tmp_path, {"ann.zip": made, "bob.ipynb": TINY}))
    assert sorted(rows(found).values()) == ["ann", "ann", "bob"]


def test_a_name_that_is_not_the_utf_8_it_is_said_to_be(tmp_path):
    made = zipped({"Zo\u00e9.ipynb": TINY}).replace("\u00e9".encode(), b"\xe9\xe9")
    found = find(put(tmp_path, {"ann.zip": made, "bob.ipynb": TINY}))
    assert [(line.entry, line.student) for line in found.lines if line.entry] == [("ann.zip", "ann")]
    with pytest.raises(CourseError, match="unpack it and give the folder"):
        find(tmp_path / "ann.zip")
