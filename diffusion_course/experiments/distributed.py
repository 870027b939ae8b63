"""Several processes, on one machine or many, that train one network: each computes its share of every batch.

`accelerate launch -m diffusion_course.cli train NAME` starts them, one a GPU, and tells each who it is. A batch is the same
whatever their number (`pieces.Batch`), so the sum of their gradients is the one process's, and so is the run. Accelerate gives each its
device and carries their messages; mixed precision is chosen by `precision`, as in one process.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from .. import devices
from ..errors import CourseError

T = TypeVar("T")


class Processes:
    """This process among those that train together. accelerator: Accelerate's, which knows them; None for one alone."""

    def __init__(self, accelerator: Any = None):
        self.accelerator = accelerator
        self.count: int = accelerator.num_processes if accelerator else 1
        self.rank: int = accelerator.process_index if accelerator else 0
        self.told_to_stop = False

    @property
    def main(self) -> bool:
        """Whether this is the one that writes files and speaks."""
        return self.rank == 0

    def share(self, n: int) -> tuple[int, int]:
        """(low, high): which of n rows are this process's."""
        return n * self.rank // self.count, n * (self.rank + 1) // self.count

    @torch.no_grad()
    def add_up(self, net: nn.Module, loss: Tensor) -> tuple[Tensor, Tensor]:
        """Put the sum of all processes' gradients into each one's net; the sum of their losses, and how many were told to stop.

        Running statistics, such as batch norm's, become their mean. One message: many small ones would take longer.
        """
        stop = torch.full_like(loss, float(self.told_to_stop))
        if self.count == 1:
            return loss, stop
        averages = [buffer for buffer in net.buffers() if buffer.is_floating_point()]
        gradients = [weight.grad for weight in net.parameters() if weight.grad is not None]
        parts = [*(buffer / self.count for buffer in averages), *gradients, loss, stop]
        message = self.accelerator.reduce(torch.cat([part.flatten() for part in parts]), reduction="sum")
        sums = message.split([part.numel() for part in parts])
        for mine, total in zip([*averages, *gradients], sums[:-2], strict=True):
            mine.copy_(total.view_as(mine))
        return sums[-2][0], sums[-1][0]

    def from_main(self, value: T) -> T:
        """The main process's value, in all of them."""
        if self.count == 1:
            return value
        from accelerate.utils import broadcast_object_list

        return broadcast_object_list([value])[0]

    def aside(self, line: str) -> None:
        """What one of the others alone has to say, e.g. that its GPU is full."""
        print(f"process {self.rank}: {line}", file=sys.stderr)

    @contextlib.contextmanager
    def stopping_together(self) -> Iterator[None]:
        """Several processes stop after the same step: Ctrl-C, and the launcher's SIGTERM, are noted here and told with `add_up`."""
        if self.count == 1:
            yield
            return

        def note(*args: Any) -> None:
            self.told_to_stop = True

        self.told_to_stop = False
        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def end(self) -> None:
        """Leave the others: what follows is done alone."""
        if self.accelerator:
            self.accelerator.end_training()


def joined(device: str | None) -> tuple[Processes, torch.device]:
    """The processes that this one was started with, and its device. device: asked for by the user, see `devices.choose`.

    Raises CourseError for a device that cannot be had, and where several were started and accelerate is not installed.
    """
    # What launchers tell each process; the size alone may be somebody's own variable.
    launched = "RANK" in os.environ or (
        torch.distributed.is_available() and torch.distributed.is_initialized()
    )
    if not launched or os.environ.get("WORLD_SIZE", "1") == "1":
        return Processes(), devices.choose(device)
    if device not in (None, "cpu", "cuda"):
        raise CourseError(
            f"--device: got {device!r}, and each of several processes has a GPU of its own; leave it out"
        )
    try:
        from accelerate import Accelerator
    except ImportError:
        raise CourseError(
            "several processes need accelerate: pip install 'diffusion-course[scale]'"
        ) from None
    accelerator = Accelerator(cpu=device == "cpu")
    return Processes(accelerator), accelerator.device
