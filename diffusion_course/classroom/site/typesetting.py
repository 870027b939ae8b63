"""Sphinx, with MyST-NB and Furo, set up for pages that need no network: its search, its pages, MathJax from a package.

Why these: MyST-NB reads notebooks as Jupyter's own tools do, Sphinx has a search that runs in the page, and all of it comes by pip. The
newer `mystmd` needs Node and downloads its theme.
"""

import io
import re
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ...errors import CourseError

TOOLS = ("sphinx", "myst_nb", "furo", "sphinx-mathjax-offline")
MATHJAX = "mathjax.js"
TITLE = "Diffusion models"
CONFIG: dict[str, Any] = {
    "project": TITLE,
    "html_title": TITLE,
    "html_theme": "furo",
    "extensions": ["myst_nb", "sphinx.ext.mathjax"],
    "html_static_path": ["_static"],
    "html_css_files": ["live.css"],
    "html_js_files": ["live.js"],
    "html_favicon": "_static/favicon.svg",
    "html_copy_source": False,
    "html_show_sourcelink": False,
    "html_show_copyright": False,
    "html_use_index": False,
    "html_domain_indices": False,
    "nb_execution_mode": "off",
    "nb_merge_streams": True,
    "nb_output_stderr": "remove",
    "nb_code_prompt_show": "Show the {type}",
    "nb_code_prompt_hide": "Hide the {type}",
    "myst_enable_extensions": ["dollarmath", "amsmath"],
    "myst_dmath_double_inline": True,
    "myst_heading_anchors": 3,
    "mathjax_path": MATHJAX,
    # Without its menu, formulas are no stops of the Tab key; the MathML beside each is what a screen reader reads.
    # In \text an & is a letter, as in Jupyter.
    "mathjax3_config": {"options": {"enableMenu": False}, "tex": {"packages": {"[-]": ["textmacros"]}}},
}


def install_parts(source: Path) -> None:
    """Put what all pages load into the source's `_static`. Raises CourseError where the extra is not installed."""
    if not all(map(find_spec, TOOLS)):
        raise CourseError("the web edition needs its tools: pip install 'diffusion-course[site]'")
    static = source / "_static"
    static.mkdir(parents=True, exist_ok=True)
    # Formulas as SVG: one file has the glyphs as well, where fonts would be refused to pages that are opened from a disk.
    library = files("sphinx-mathjax-offline") / "static" / "mathjax" / "tex-svg-full.js"
    (static / MATHJAX).write_bytes(library.read_bytes())
    for asset in (files(__package__) / "assets").iterdir():
        (static / asset.name).write_bytes(asset.read_bytes())


def typeset(source: Path, out: Path, extra: Path) -> None:
    """Make the pages in `source` a site in `out`, a new folder, and put the files of `extra` beside them.

    Raises CourseError with Sphinx's first words where it finds fault with a page.
    """
    from sphinx.application import Sphinx  # an installation without the extra has none

    said = io.StringIO()
    app = Sphinx(
        source,
        None,
        out,
        source.parent / "doctrees",
        "html",
        CONFIG | {"html_extra_path": [str(extra)]},
        status=None,
        warning=said,
        freshenv=True,
    )
    app.connect("doctree-read", _as_written)
    app.build(force_all=True)
    # What names no page is about Sphinx and its parts, such as the end of a function in a later version.
    faults = [line for line in said.getvalue().splitlines() if str(source) in line]
    if faults:
        told = re.sub(r"\x1b\[[\d;]*m", "", faults[0]).replace(f"{source}/", "")
        raise CourseError(f"the pages: {' '.join(told.split())[:300]}")
    for name in (".buildinfo", "objects.inv"):
        (out / name).unlink(missing_ok=True)


def _as_written(_app: object, page: Any) -> None:
    r"""Displayed formulas reach MathJax as they are in the notebook: Sphinx would put those with \\ into a split, which admits no \tag."""
    from docutils import nodes

    for formula in page.findall(nodes.math_block):
        formula["no-wrap"] = formula["nowrap"] = True  # its name in later and in earlier versions
        formula.children = [nodes.Text(f"\\[{formula.astext()}\\]")]
