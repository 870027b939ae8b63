"""What ipywidgets leaves out for people who use no mouse, no eyes or a narrow screen: names of sliders, arrow keys, labels above.

Style and script travel in an HTML widget inside each box: no front end loads a file for us. Where scripts are not allowed, the
controls work as ipywidgets made them.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from importlib.resources import files

import ipywidgets

BOX = "diffusion-box"  # the class of a box that the script and the style know
# All labels have one width; where a slider would be narrower than 10em, it goes below its label.
STYLE = """\
.diffusion-box .widget-inline-hbox > .widget-label { flex: 0 0 auto; width: 11em !important; text-align: left; white-space: normal;
  line-height: 1.3; height: auto; overflow: visible; align-self: center }
.diffusion-box .widget-inline-hbox > .slider-container { flex: 1 1 10em; min-width: 10em }
.diffusion-box .widget-inline-hbox > .widget-readout { flex: 0 0 auto }
.diffusion-box sub, .diffusion-box sup { line-height: 0 }
.diffusion-helper { display: none }"""
PIXEL = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"


def helper(options: Sequence[str] = ()) -> ipywidgets.HTML:
    """An invisible part of a box, which brings style and script. A picture's `onload` runs where a <script> would not.

    options: HTML that takes the place of the plain texts of the radio buttons in the box.
    """
    script = files(__package__).joinpath("access.js").read_text("utf-8")
    script = " ".join(re.sub(r"(^|  )//.*", "", script, flags=re.MULTILINE).split())
    rich = "".join(f"<span>{option}</span>" for option in options)
    made = ipywidgets.HTML(
        f'<style>{STYLE}</style><div class="diffusion-options" hidden>{rich}</div>'
        f'<img alt="" aria-hidden="true" src="{PIXEL}" onload="{html.escape(script)}">'
    )
    made.add_class("diffusion-helper")
    return made
