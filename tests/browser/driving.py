"""JupyterLab driven through a browser: a notebook is run, an output's controls are moved, and the time to a new picture is taken."""

import statistics
import time

import nbformat


class Output:
    """One cell's live part: its controls, its picture, and the words below."""

    def __init__(self, page, words=None, box=None):
        """words: some that stand in it; box: where it is known which."""
        self.page = page
        self.box = box or page.locator(".jp-OutputArea-output .widget-vbox", has_text=words).last
        self.picture = self.box.locator("img.widget-image")

    def slider(self, nth=0):
        return self.box.locator("[role=slider], .ui-slider-handle").nth(nth)  # ipywidgets 8, 7

    def sliders(self):
        return self.box.locator("[role=slider], .ui-slider-handle").count()

    def press(self, key, nth=0):
        """Press a key on a slider, wait until another picture is there, and return how long that took, in seconds."""
        self.slider(nth).focus()
        before = self.picture.get_attribute("src")
        started = time.perf_counter()
        self.page.keyboard.press(key)
        self.changed(before)
        return time.perf_counter() - started

    def changed(self, before):
        self.page.wait_for_function(
            "([image, before]) => image.src != before && image.complete",
            arg=[self.picture.element_handle(), before],
        )

    def drag(self, distance, nth=0):
        """Drag a slider by that many pixels, and wait for the last picture: return how long after the mouse is let go, in seconds."""
        handle = self.slider(nth)
        handle.scroll_into_view_if_needed()
        before, box = self.picture.get_attribute("src"), handle.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + distance, y, steps=30)
        self.page.mouse.up()
        released = time.perf_counter()
        self.changed(before)
        return self.settled() - released

    def settled(self, still=0.7):
        """When the picture changed for the last time, by the clock of `time.perf_counter`: it has not for `still` seconds."""
        source, since = self.picture.get_attribute("src"), time.perf_counter()
        while time.perf_counter() - since < still:
            self.page.wait_for_timeout(50)
            now = self.picture.get_attribute("src")
            if now != source:
                source, since = now, time.perf_counter()
        return since

    def says(self, words):
        self.box.get_by_text(words).wait_for()


def quick(seconds):
    """Print the latency, whose goal is 0.15 s on an idle machine. What fails is a bound that holds on a busy one too."""
    print(f"latency {1000 * statistics.median(seconds):.0f} ms")
    assert statistics.median(seconds) < 3


def run_all(page, lab, notebook, name):
    """Open a notebook and run every cell. Returns when the last one has run."""
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, lab.folder / name)
    page.goto(lab.url(name))
    # Cells that are run before there is a kernel make JupyterLab ask for one.
    page.wait_for_function(
        "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status == 'idle'"
    )
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")
    page.wait_for_function(
        """() => {
            const code = window.jupyterapp.shell.currentWidget.content.widgets.filter(c => c.model.type == 'code');
            return code.every(c => c.model.executionCount !== null);
        }""",
        timeout=240_000,
    )
