"""Pictures as people have them: in a folder or a zip, of any size and mode, some of them damaged.

for name, pixels in pictures(Path("holiday.zip"), skipped=print): ...     # pixels: (3, H, W), uint8
"""

import hashlib
import random
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import CourseError, printable
from .picture_names import SUFFIXES, Listing, in_folder, in_zip, tell

FORMATS = (
    "BMP",
    "GIF",
    "JPEG",
    "PNG",
    "PPM",
    "TIFF",
    "WEBP",
)  # no format that another program would be started for
READING = 2  # counts what `decoded` gives for the same file: a higher one makes everybody's caches anew
MOST_BYTES = 2**29  # of one file of a zip, which may unpack to a thousand times its size


def names(source: Path, skipped: Callable[[str], Any] = lambda line: None) -> list[str]:
    """The pictures in a folder or zip, and in the folders below, by name: "cats/1.jpg", ..., sorted. They are not read.

    Hidden files and folders, and what macOS adds to a zip, are no pictures. Links that cannot be followed, and names that lead out
    of a zip, are told to `skipped`. Raises CourseError where there is no such folder or zip, it cannot be read, or it holds no picture.
    """
    with opened(source) as (listing, _):
        left_out = listing.left_out
        if not listing.pictures:
            more = f" (and {len(left_out) - 1} more left out)" if len(left_out) > 1 else ""
            why = f"{left_out[0]}{more}" if left_out else f"want files that end in {', '.join(SUFFIXES)}"
            raise CourseError(f"{_told(source)}: holds no picture; {why}")
        tell(left_out, skipped)
        return listing.pictures


def folders(source: Path) -> list[str]:
    """The folders in a folder or zip, and those below, by name; hidden ones and links are none. With a zip, those that it lists."""
    with opened(source) as (listing, _):
        return listing.folders


def pictures(
    source: Path, skipped: Callable[[str], Any], count: int | None = None, seed: int = 0
) -> Iterator[tuple[str, Tensor]]:
    """The pictures of a folder or zip in the order of their names, one at a time: (name, pixels (3, H, W) in 0..255, uint8).

    What cannot be read is left out, and told to `skipped` in a line with its name and the reason. count: so many at most,
    chosen at random by the seed. Raises CourseError as `names` does, and at the end where no picture could be read.
    """
    chosen = names(source, skipped)
    if count is not None and count < len(chosen):
        chosen = sorted(random.Random(seed).sample(chosen, count))
    whole = 0
    with opened(source) as (_, read):
        for name in chosen:
            try:
                pixels = decoded(read(name))
            except Exception as error:  # a decoder may stumble over damaged bytes in any way
                skipped(f"skipped {printable(name)}: {reason(error)}")
                continue
            whole += 1
            yield name, pixels
    if not whole:
        raise none_read(source, len(chosen))


def reason(error: Exception) -> str:
    """Why a picture could not be read, in plain words: what follows its name in a line."""
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):  # whose own words name the address of a buffer
        return "is no picture that can be read"
    if isinstance(error, (zipfile.BadZipFile, zlib.error)):
        return "is damaged in the zip"
    if isinstance(error, OSError) and error.strerror:
        return printable(error.strerror)
    return printable((str(error).splitlines() or [type(error).__name__])[0])


def passing(error: Exception) -> bool:
    """Whether the same file may well be read another time: the system failed, not the decoder, whose errors have no number."""
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno is not None)


def none_read(source: Path, count: int) -> CourseError:
    """The error for a folder or zip of which nothing is left."""
    return CourseError(f"{_told(source)}: none of its {count} pictures could be read")


def decoded(content: bytes) -> Tensor:
    """The first picture of a file's content, as a viewer shows it: (3, H, W), uint8.

    Turned as its EXIF note says, transparency on white, 16 bits rounded to 8. Raises what Pillow raises for a damaged one, and
    ValueError for pixels without a known range.
    """
    from PIL import Image, ImageOps

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd notes in a file, and of large pictures
        with Image.open(BytesIO(content), formats=FORMATS) as file:
            picture = ImageOps.exif_transpose(file)
            if picture.mode == "F":
                raise ValueError("its pixels are floating-point numbers of no known range")
            if picture.mode.startswith("I"):  # 16 bits a pixel; Pillow's own conversion cuts them off at 255
                sixteen = np.asarray(picture).astype(np.float64)
                if sixteen.min() < 0 or sixteen.max() > 65535:
                    raise ValueError("its pixels are integers beyond 16 bits, of no known range")
                picture = Image.fromarray((sixteen / 257).round().astype(np.uint8))
            if "A" in picture.mode or "a" in picture.mode or "transparency" in picture.info:
                picture = picture.convert("RGBA")
                picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
            return torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1).contiguous()


def state(source: Path, chosen: Sequence[str]) -> str:
    """A digest that changes when the pictures do, or how they are decoded: of their names and sizes, and times (in a folder) or
    checksums (in a zip)."""
    if source.is_dir():
        stats = ((source / name).stat() for name in chosen)
        held = [(name, stat.st_size, stat.st_mtime_ns) for name, stat in zip(chosen, stats, strict=True)]
    else:
        with zipfile.ZipFile(source) as archive:
            entries = in_zip(archive)[1]
            held = [(name, entries[name].file_size, entries[name].CRC) for name in chosen]
    return hashlib.sha256(repr((READING, held)).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def stamp(source: Path, name: str) -> str | None:
    """A text that changes when a picture that could not be read may be whole: with its file (in a zip, the zip), and with Pillow.

    The time of the last change to the inode is in it, which copies that keep a file's own time, and new permissions, move too. None
    where there is no file to look at.
    """
    from PIL import __version__

    try:
        held = (source / name if source.is_dir() else source).stat()
    except OSError:
        return None
    return f"{held.st_size} {held.st_mtime_ns} {held.st_ctime_ns} Pillow {__version__}"


@contextmanager
def opened(source: Path) -> Iterator[tuple[Listing, Callable[[str], bytes]]]:
    """What a folder or zip lists, and a function that reads a file of it. Raises CourseError where there is none, or it cannot be read."""
    if source.is_dir():
        yield in_folder(source), lambda name: (source / name).read_bytes()
        return
    try:
        archive = zipfile.ZipFile(source)
    except FileNotFoundError:
        raise CourseError(f"{_told(source)}: no such folder or zip") from None
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError) as error:
        raise CourseError(
            f"{_told(source)}: neither a folder nor a zip that can be read ({printable(str(error))})"
        ) from None
    with archive:
        listing, entries = in_zip(archive)

        def read(name: str) -> bytes:
            info = entries[name]
            if info.file_size > MOST_BYTES:
                raise ValueError(f"unpacks to {info.file_size:,} bytes")
            if info.flag_bits & 1:
                raise ValueError("is encrypted; unpack the zip, or make one without a password")
            return archive.read(info)

        yield listing, read


def _told(source: Path) -> str:
    return printable(str(source))
