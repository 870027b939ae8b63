"""Sampling on a GPU waits for Python, which hands over 230 little jobs an evaluation: they are recorded once, and replayed.

`graphs.py` does the same for training. Here nothing is learned, batches keep their size for thousands of evaluations, and a
network's answer is copied before the next replay writes over it.
"""

from collections import OrderedDict
from collections.abc import Callable
from itertools import count
from typing import Any

import torch
from torch import Tensor, nn

HELD = 3  # recordings at a time, of all networks: each keeps the memory of a whole evaluation
Replay = Callable[..., Tensor]
Record = Callable[[Callable[..., Tensor], tuple[Any, ...]], Replay]
_numbers = count()
_recordings: OrderedDict[tuple[Any, ...], Replay] = OrderedDict()


def record(net: nn.Module, say: Callable[[str], Any], recorder: Record | None = None) -> nn.Module:
    """The network itself, whose evaluations without gradients on a GPU are replayed from now on; it must be in eval mode.

    say: takes a line where recording failed, or where a replay does not give what the network gives: then it is called itself.
    """
    net.__dict__["forward"] = _Recorded(net.forward, say, recorder or recorded_graph)
    return net


class _Recorded:
    """A network's forward pass."""

    def __init__(self, forward: Callable[..., Tensor], say: Callable[[str], Any], recorder: Record):
        self.forward, self.say, self.recorder, self.failed = forward, say, recorder, False
        self.number = next(_numbers)

    def __call__(self, *args: Any) -> Tensor:
        if self.failed or torch.is_grad_enabled() or not all(_on_gpu(one) for one in args):
            return self.forward(*args)
        precision = torch.backends.cudnn.allow_tf32
        key = (self.number, precision, *(None if one is None else (one.shape, one.dtype) for one in args))
        if key not in _recordings:
            return self._first(key, args)
        _recordings.move_to_end(key)
        return _recordings[key](*args)

    def _first(self, key: tuple[Any, ...], args: tuple[Any, ...]) -> Tensor:
        """Call the network itself, record it, and look whether the replay says the same."""
        answer = self.forward(*args)
        while len(_recordings) >= HELD:
            torch.cuda.synchronize()
            _recordings.popitem(last=False)
        try:
            replay = self.recorder(self.forward, args)
            wrong = not torch.allclose(replay(*args), answer, rtol=0.05, atol=0.02)
        except RuntimeError as error:  # also where the GPU's memory is full
            self._give_up((str(error).splitlines() or ["?"])[0][:120])
            return answer
        if wrong:
            self._give_up("its replay differs")
        else:
            _recordings[key] = replay
        return answer

    def _give_up(self, why: str) -> None:
        self.failed = True
        self.say(f"sampling goes on without a CUDA graph ({why})")


def recorded_graph(forward: Callable[..., Tensor], args: tuple[Any, ...]) -> Replay:
    """A function like forward, for tensors of the shapes of these args, that replays what was recorded with them."""
    held = [one if one is None else one.clone() for one in args]
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(2):  # the first calls set up what is set up once
            forward(*held)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        answer = forward(*held)

    def replay(*new: Any) -> Tensor:
        for mine, theirs in zip(held, new, strict=True):
            if mine is not None:
                mine.copy_(theirs)
        graph.replay()
        return answer.clone()

    return replay


def _on_gpu(value: Any) -> bool:
    return value is None or (isinstance(value, Tensor) and value.is_cuda)
