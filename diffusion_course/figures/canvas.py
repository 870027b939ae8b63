"""A Matplotlib backend: Agg, but what one picture has read of its formulas, the next one need not read again.

Matplotlib keeps what it has read by the reader, and gives each picture a reader of its own. A quarter of a slider's time went there.
"""

from typing import ClassVar

from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.mathtext import MathTextParser

BACKEND = f"module://{__name__}"


class FigureCanvas(FigureCanvasAgg):
    """What `figure.savefig(..., backend=BACKEND)` draws on. reader: the first picture's."""

    reader: ClassVar[MathTextParser | None] = None

    def get_renderer(self) -> RendererAgg:
        renderer = super().get_renderer()
        FigureCanvas.reader = renderer.mathtext_parser = FigureCanvas.reader or renderer.mathtext_parser
        return renderer
