"""The members of a .zip, by the names that macOS, Windows and Linux give them. Nothing is extracted to the
disk."""

import io
import re
import stat
import struct
import zipfile
import zlib
from datetime import datetime
from typing import BinaryIO

from ...errors import printable
from .trouble import Refused, Why, too_large

UTF8_FLAG = 0x800
UNICODE_PATH = (
    0x7075  # Info-ZIP's extra field: the name in UTF-8, with the checksum of the name in the header
)


def opened(file: BinaryIO) -> zipfile.ZipFile:
    """An archive. Raises Refused; a hostile zip finds many ways to fail in zipfile, and none may stop the
    others."""
    try:
        return zipfile.ZipFile(file)
    except Exception as error:
        raise Refused(Why.BROKEN_ZIP, f"{type(error).__name__}: {printable(str(error))[:100]}") from None


def name(entry: zipfile.ZipInfo) -> str:
    """A member's name: where it is not said to be UTF-8 it is tried first, as macOS writes it; then cp437, as
    the format says."""
    if entry.flag_bits & UTF8_FLAG:
        return entry.orig_filename
    raw = entry.orig_filename.encode("cp437", "replace")
    told = _unicode_path(entry.extra, raw)
    try:
        return (told or raw).decode("utf-8")
    except UnicodeDecodeError:
        return entry.orig_filename


def _unicode_path(extra: bytes, raw: bytes) -> bytes:
    """The name in the extra field; b"" where there is none, or it belongs to another name."""
    while len(extra) >= 4:
        kind, size = struct.unpack("<HH", extra[:4])
        data, extra = extra[4 : 4 + size], extra[4 + size :]
        if kind == UNICODE_PATH and len(data) > 5 and data[0] == 1:
            return data[5:] if struct.unpack("<I", data[1:5])[0] == zlib.crc32(raw) else b""
    return b""


def steps(written: str) -> tuple[str, ...]:
    """The parts of a member's name, without those that lead out of the archive. Windows writes a backslash
    between them."""
    parts = re.split(r"[/\\\0]", written)
    return tuple(part for part in parts if part not in ("", ".", ".."))


def changed(entry: zipfile.ZipInfo) -> datetime | None:
    """A member's own time; None where it is none. A zip says no zone."""
    try:
        return datetime(*entry.date_time)
    except ValueError:
        return None


def check(entry: zipfile.ZipInfo) -> None:
    """Raises Refused for a name that leads out of the archive, or that no file can have, and for what is no
    plain file."""
    written = name(entry)
    if "\0" in written:
        raise Refused(Why.NO_NAME)
    if re.match(r"[/\\]|[A-Za-z]:", written) or ".." in re.split(r"[/\\]", written):
        raise Refused(Why.ESCAPES)
    mode = entry.external_attr >> 16
    if stat.S_ISLNK(mode):
        raise Refused(Why.LINK)
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise Refused(Why.SPECIAL, "a pipe, a socket or a device")


def content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, most: int) -> BinaryIO:
    """A member of at most `most` bytes, unpacked into memory. Raises Refused."""
    check(entry)
    if entry.flag_bits & 1:
        raise Refused(Why.ENCRYPTED)
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Refused(Why.COMPRESSION)
    if entry.file_size > most:
        raise too_large(entry.file_size, most)
    try:
        with archive.open(entry) as file:
            unpacked = file.read(most + 1)
    except Exception as error:  # zipfile and zlib fail in many ways
        raise Refused(Why.DAMAGED, type(error).__name__) from None
    if len(unpacked) > most:
        raise too_large(len(unpacked), most)
    return io.BytesIO(unpacked)
