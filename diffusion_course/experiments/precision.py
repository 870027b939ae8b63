"""In what precision a network trains, and how images lie in memory: what is fastest here, measured before the first step."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from ..errors import check_known

DTYPES = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}
LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
# A change must pay: half precision rounds, and what is measured of a busy machine is not exact.
GAIN = 0.9
WORTH = 0.05  # seconds of a trial: below, there is nothing to be gained
HOPELESS = 1.25  # times the least: not tried again
TRIALS = 3

Trial = Callable[[], object]


@dataclass(frozen=True)
class Precision:
    """dtype: of mixed precision, None for float32. layout: of images (B, C, H, W) and of the network's weights."""

    dtype: torch.dtype | None = None
    layout: torch.memory_format = torch.contiguous_format

    def __str__(self) -> str:
        return ", ".join(self.names())

    def names(self) -> list[str]:
        """For files: of `DTYPES`, and of `LAYOUTS`."""
        dtypes = {dtype: name for name, dtype in DTYPES.items()}
        layouts = {layout: name for name, layout in LAYOUTS.items()}
        return [dtypes[self.dtype], layouts[self.layout]]

    @classmethod
    def of(cls, dtype: str, layout: str) -> "Precision":
        """By their names. Raises CourseError for others."""
        check_known("dtype", dtype, DTYPES)
        check_known("layout", layout, LAYOUTS)
        return cls(DTYPES[dtype], LAYOUTS[layout])


def usual(device: torch.device, ndim: int) -> Precision:
    """What a device trains in where nothing was measured. ndim: of the data; 4 are images.

    GPU: bfloat16 where the hardware has it, else float16. CPU: float32. Images have their channels innermost.
    """
    layout = torch.channels_last if ndim == 4 else torch.contiguous_format
    if device.type != "cuda":
        return Precision(None, layout)
    major, _ = torch.cuda.get_device_capability(device)
    return Precision(torch.bfloat16 if major >= 8 else torch.float16, layout)


def candidates(device: torch.device, ndim: int) -> list[Precision]:
    """What may be fastest, first the usual one.

    A CPU's flags do not tell: with AVX-512's bfloat16 alone a U-Net of 1.1 M parameters trained at 0.77 of float32's speed, with
    AMX at 1.2 times, and there at 0.7 with the channels innermost. Without either it is emulated, 17 times slower.
    """
    first = usual(device, ndim)
    half = first.dtype if device.type == "cuda" else torch.bfloat16 if _has_bfloat16() else None
    layouts = (torch.channels_last, torch.contiguous_format) if ndim == 4 else (torch.contiguous_format,)
    every = [Precision(dtype, layout) for dtype in dict.fromkeys((None, half)) for layout in layouts]
    return [first, *(one for one in every if one != first)]


def _has_bfloat16() -> bool:
    flags = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    return any(getattr(torch.cpu, flag, lambda: False)() for flag in flags)


def clock_of(device: torch.device) -> Callable[[], float]:
    """What tells the seconds of a pass. On a CPU the time that this thread had: other programs, which take turns with it, are not in
    it, and threads that it shares its work with are, since it waits for them busily."""
    return time.thread_time if device.type == "cpu" else time.perf_counter


def fastest(
    made: Callable[[Precision], Trial],
    among: Sequence[Precision],
    clock: Callable[[], float],
) -> Precision:
    """The first of `among`, or another by which a trial takes at most GAIN of its time.

    made: makes a trial, e.g. one pass forward and back, which waits until all is done. Each is tried once without being counted,
    then in turns, and its least time counts. Where the first takes less than WORTH seconds, the others are not tried.
    clock: see `clock_of`.
    """
    first, times = among[0], dict[Precision, float]()

    def timed(trial: Trial) -> float:
        start = clock()
        trial()
        return clock() - start

    trials: dict[Precision, Trial] = {}
    for one in among:
        trials[one] = made(one)
        timed(trials[one])
        times[one] = timed(trials[one])
        if one == first and times[one] < WORTH:
            return first
    for _ in range(TRIALS - 1):
        for one in [one for one in among if times[one] <= HOPELESS * min(times.values())]:
            times[one] = min(times[one], timed(trials[one]))
    best = min(among, key=lambda one: times[one])
    return best if times[best] <= GAIN * times[first] else first
