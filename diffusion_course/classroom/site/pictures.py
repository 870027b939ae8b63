"""Pictures out of the notebooks' outputs into files of their own, each once: both editions show the same."""

import base64
import hashlib
import re
from pathlib import Path

from PIL import Image

from ...errors import CourseError
from ...files import write_bytes

FOLDER = "_static/pictures"
TAG = re.compile(r"<img\b[^>]*>")
ALT = re.compile(r'\balt="([^"]+)"')
WIDTH = re.compile(r'\bwidth="(\d+)"')
INLINE = re.compile(r'src="data:image/(\w+);base64,([^"]+)"')


class Pictures:
    """The folder of pictures of a site that is being made. source: the root of its pages' sources."""

    def __init__(self, source: Path) -> None:
        self.source = source
        (source / FOLDER).mkdir(parents=True, exist_ok=True)

    def put(self, data: str, kind: str = "webp") -> str:
        """Write a picture, base64, and return its address as a page in a subfolder sees it."""
        content = base64.b64decode(data)
        name = f"{FOLDER}/{hashlib.sha256(content).hexdigest()[:16]}.{kind}"
        if not (self.source / name).exists():
            write_bytes(self.source / name, content)
        return f"../{name}"

    def tag(self, address: str, alt: str, width: int) -> str:
        """The <img> of a picture that is there. alt: as HTML. It has its height, so that the page stands still while pictures come."""
        with Image.open(self.source / address.removeprefix("../")) as image:
            height = round(width * image.height / image.width)
        return f'<img alt="{alt}" width="{width}" height="{height}" loading="lazy" src="{address}">'

    def out_of(self, html: str) -> str:
        """HTML whose pictures lie in files. Raises CourseError for one without words or width."""
        return TAG.sub(lambda found: self._moved(found[0]), html)

    def _moved(self, tag: str) -> str:
        alt, width, inline = ALT.search(tag), WIDTH.search(tag), INLINE.search(tag)
        if not (alt and width and inline):
            raise CourseError(
                f"a picture wants words for readers who cannot see it, a width, and its data: {tag[:80]}"
            )
        return self.tag(self.put(inline[2], inline[1]), alt[1], int(width[1]))
