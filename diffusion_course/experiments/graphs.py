"""A small network on a GPU waits for Python, which hands over some thousand little jobs a step. A CUDA graph hands over all at once.

The graph is the network's forward and backward pass as recorded once; every later step replays it with new inputs and weights.
One step of a U-Net of 0.7 M parameters took 33 ms of Python on an H100's host, whatever the batch was.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

EAGER = 2  # steps before the recording: the first set up what PyTorch sets up once


class Replayed:
    """Watches the calls of `net` in a training loop, and has them replayed where each step calls it once, with tensors of one shape.

    usable: False where that is known not to hold: no GPU, batches in pieces, or several processes. Networks with buffers, such as
    batch norm's statistics, are left alone too: the recording would change these. say: takes a line where recording failed.
    """

    def __init__(self, net: nn.Module, usable: bool, say: Callable[[str], Any]):
        self.net, self.say, self.steps = net, say, 0
        self.calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
        watches = usable and next(net.buffers(), None) is None
        self.watch = net.register_forward_pre_hook(self._note, with_kwargs=True) if watches else None

    def _note(self, net: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.calls.append((args, kwargs))

    def after_step(self, dtype: torch.dtype | None) -> None:
        """To be called after each step. dtype: of its mixed precision, or None."""
        if self.watch is None:
            return
        calls, self.calls = self.calls, []
        self.steps += 1
        if self.steps < EAGER:
            return
        self.watch.remove()
        self.watch = None
        if len(calls) != 1 or calls[0][1] or not all(_constant(one) for one in calls[0][0]):
            return
        examples = tuple(one.clone() for one in calls[0][0])
        try:
            with torch.autocast("cuda", dtype, enabled=dtype is not None, cache_enabled=False):
                torch.cuda.make_graphed_callables(self.net, examples, allow_unused_input=True)
        except RuntimeError as error:  # also where the GPU's memory is full
            self.undo()
            self.say(f"training goes on without a CUDA graph ({(str(error).splitlines() or ['?'])[0][:120]})")

    def undo(self) -> None:
        """Call the network itself again, e.g. with batches of another size."""
        if self.watch is not None:
            self.watch.remove()
            self.watch = None
        self.net.__dict__.pop("forward", None)  # what PyTorch put before the method of the class


def _constant(value: object) -> bool:
    return isinstance(value, Tensor) and not value.requires_grad
