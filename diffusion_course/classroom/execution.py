"""Run a notebook from top to bottom in a kernel of its own, and keep only outputs that belong in a file."""

import os
import re
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import nbformat
from ipykernel.kernelspec import RESOURCES, get_kernel_dict
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from ..errors import CourseError
from . import progress
from .chapters import place
from .editions import METADATA

WIDGET = "application/vnd.jupyter.widget-view+json"

# Peak memory of the kernel in bytes: ru_maxrss counts bytes on macOS and KiB elsewhere.
PEAK = """\
import resource, sys
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024))"""


class _ThisPython(KernelSpecManager):
    """Whatever kernels a user has registered, run the Python that runs the build."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return KernelSpec(resource_dir=RESOURCES, **get_kernel_dict())


@dataclass(frozen=True)
class Run:
    """What a run took. peak: resident memory of the kernel in bytes, 0 where the system does not tell."""

    seconds: float
    peak: int


def execute(
    notebook: NotebookNode, name: str, folder: Path, timeout: int, told: Mapping[str, str] | None = None
) -> Run:
    """Run the notebook in place, in `folder`, with at most `timeout` seconds per cell.

    told: environment variables of its kernel, beside those of this process.
    Raises CourseError naming the chapter and the cell when a cell fails, takes too long or kills its kernel.
    """
    manager = AsyncKernelManager(kernel_spec_manager=_ThisPython())
    client = NotebookClient(
        notebook,
        manager,
        timeout=timeout,
        resources={"metadata": {"path": str(folder)}},
        coalesce_streams=True,
        record_timing=False,
        store_widget_state=False,
    )
    started = time.perf_counter()
    with client.setup_kernel(
        cleanup_kc=True,  # nbclient lets a kernel live whose manager it was given: a gigabyte a chapter, to the end of the build
        env={**os.environ, progress.SWITCH: "off", **(told or {})},
        stderr=subprocess.DEVNULL,  # the kernel's own log; a cell's stderr comes as a message
    ):
        for number, cell in enumerate(notebook.cells):
            try:
                client.execute_cell(cell, number)
            except (CellControlSignal, DeadKernelError) as error:
                raise CourseError(f"{place(name, number, cell)}: {_reason(error, timeout)}") from None
        seconds = time.perf_counter() - started
        peak = _peak(client)
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if not _unfinished_bar(cell, output)]
            for output in cell.outputs:
                output.get("data", {}).pop(WIDGET, None)  # without its kernel it is nothing; its text stays
    return Run(seconds, peak)


def _reason(error: Exception, timeout: int) -> str:
    if isinstance(error, CellTimeoutError):
        return f"took more than {timeout} s"
    if isinstance(error, CellExecutionError):
        return f"{error.ename}: {error.evalue}"
    return "its kernel died"


def _peak(client: NotebookClient) -> int:
    probe = nbformat.v4.new_code_cell(PEAK)
    client.nb.cells.append(probe)  # nbclient files outputs by a cell's place in the notebook
    try:
        client.execute_cell(probe, len(client.nb.cells) - 1)
        return int(probe.outputs[0].text)
    except CellControlSignal:  # Windows has no `resource`
        return 0
    finally:
        client.nb.cells.pop()


def _unfinished_bar(cell: NotebookNode, output: NotebookNode) -> bool:
    """A progress bar's text is its first state, 0 %. Where nbval does not compare outputs, it is left out."""
    ignored = "nbval-ignore-output" in cell.metadata.get("tags", [])
    data = output.get("data", {})
    return ignored and WIDGET in data and bool(re.match(r".*\d+%\|", data.get("text/plain", "")))
