"""A small network on a GPU waits for Python, which hands over some thousand little jobs a step. A CUDA graph hands over all at once.

The graph is the network's forward and backward pass as recorded once; every later step replays it with new inputs and weights.
One step of a U-Net of 0.7 M parameters took 33 ms of Python on an H100's host, whatever the batch was.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

EAGER = 2  # steps before the recording: the first set up what PyTorch sets up once
Forward = Callable[..., Tensor]


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


def replay_forward(net: nn.Module) -> None:
    """Have the forward pass replayed wherever no gradients are asked for, recorded once for each shape of the inputs.

    Labels on the GPU are looked at in the first call of a shape only. Other calls are the network's own.
    """
    plain, recorded = net.forward, {}

    def forward(*inputs: Tensor) -> Tensor:
        if torch.is_grad_enabled() or not all(one.is_cuda for one in inputs):
            return plain(*inputs)
        key = tuple((one.shape, one.dtype) for one in inputs)
        if key not in recorded:
            recorded[key] = _recorded(plain, inputs)
        return recorded[key](*inputs)

    net.forward = forward


def _recorded(plain: Forward, inputs: tuple[Tensor, ...]) -> Forward:
    held = [one.clone() for one in inputs]
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(EAGER):
            plain(*held)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        answer = plain(*held)

    def replay(*given: Tensor) -> Tensor:
        for mine, one in zip(held, given, strict=True):
            mine.copy_(one)
        graph.replay()
        return answer.clone()

    return replay


def _constant(value: object) -> bool:
    return isinstance(value, Tensor) and not value.requires_grad
