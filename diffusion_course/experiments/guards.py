"""What stands between a training step and the world: Ctrl-C, a GPU that is full, a machine without a compiler."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

import torch

from ..errors import CourseError


@contextlib.contextmanager
def memory_advice(batch_size: int) -> Iterator[None]:
    """Tell a full memory, the GPU's or the machine's, in one line."""
    try:
        yield
    except torch.OutOfMemoryError:
        advice = f"halve batch_size (now {batch_size}), use a smaller network, or restart kernels that hold the GPU"
        raise CourseError(f"out of GPU memory: {advice}") from None
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and "allocate memory" not in str(error):
            raise
        raise CourseError(
            f"out of memory: halve batch_size (now {batch_size}), or use a smaller network"
        ) from None


@contextlib.contextmanager
def compiler_advice() -> Iterator[None]:
    """Tell what torch.compile cannot do here in one line."""
    try:
        yield
    except Exception as error:
        if not type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
            raise
        why = " ".join(str(error).split("\n")[:2]).strip()  # "backend=... raised:", and what it raised
        raise CourseError(f"--compile: {why}; leave it out") from None


@contextlib.contextmanager
def interrupt_held() -> Iterator[None]:
    """Hold the first Ctrl-C back until the block is done. A second one, from the impatient, goes through at once."""
    if threading.current_thread() is not threading.main_thread():
        yield  # interrupts go to the main thread only
        return
    held = []

    def hold(*args: Any) -> None:
        held.append(args)
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, hold)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if held:
        signal.raise_signal(signal.SIGINT)
