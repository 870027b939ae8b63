"""`diffusion-course fid`: words become pictures and a network; all that can be told to be wrong is told before any work."""

import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import torch

from ... import devices
from ...errors import CourseError, printable
from ...files import check_writable, user_path
from ..metrics.gaussians import Gaussian, write_statistics
from .compare import compare
from .networks import FeatureNet, inception_net, judge_net
from .seen import look
from .sources import BATCH, DRAWN, Drawing, Images, find


@dataclass(frozen=True)
class Options:
    """What was typed; the help of the command says what each is."""

    a: str
    b: str
    dims: int = 2048
    weights: Path | None = None
    judge: str | None = None
    count: int | None = None
    guidance: float = 1.0
    seed: int = 0
    floor: str | None = None
    save_stats: bool = False
    device: str | None = None


def run(
    options: Options,
    say: Callable[[str], Any],
    tell: Callable[[str], Any],
    give: Callable[[dict[str, Any]], Any] | None = None,
) -> None:
    """say: takes the results, unless give takes them as one dictionary. tell: takes lines on what is going on, and warnings.

    Raises CourseError for what is wrong.
    """
    from tqdm import tqdm

    if options.judge is not None and (options.weights is not None or options.dims != 2048):
        raise CourseError(
            "--judge: has features of its own; leave out --dims and --weights, which are Inception's"
        )
    device = devices.choose(options.device)
    drawing = Drawing(options.guidance, options.seed, device, tqdm, options.count or DRAWN)
    a = find(options.a, options.count, drawing, tell)
    if options.save_stats:
        tell(_told("A", a))
        _save(a, user_path(options.b), options, device, say)
        return
    b = find(options.b, None, drawing, tell)
    size = a.count if isinstance(a, Images) else None
    spare = None if options.floor is None else find(options.floor, size, drawing, tell)
    if isinstance(spare, Gaussian):
        raise CourseError("--floor: got statistics, want pictures")
    # Pictures of one's own may have any size; a data set and samples have theirs.
    shape = next((side.shape for side in (a, b) if isinstance(side, Images) and side.shape), None)
    a, b = _as(shape, a), _as(shape, b)
    spare = spare.scaled(*shape) if spare and shape else spare
    for name, side in (("A", a), ("B", b), ("floor", spare)):
        if side is not None:
            tell(_told(name, side))
    result = compare(a, b, _net(options, device), spare, _bar)
    if give is not None:
        give(asdict(result))
    else:
        for number in result.numbers:
            say(str(number))
        if result.compared is not None:
            say(result.compared)
        say(result.floor)
    for warning in result.warnings:
        tell(warning)


def _as(shape: tuple[int, int] | None, side: Images | Gaussian) -> Images | Gaussian:
    return side.scaled(*shape) if shape and isinstance(side, Images) else side


def _told(name: str, side: Images | Gaussian) -> str:
    pictures = f"{side.told}, {side.count:,} pictures" if isinstance(side, Images) else "statistics"
    return f"{name}: {pictures}"


def _net(options: Options, device: torch.device) -> FeatureNet:
    if options.judge is None:
        return inception_net(options.dims, options.weights, device)
    return judge_net(options.judge, device)


def _save(
    a: Images | Gaussian, path: Path, options: Options, device: torch.device, say: Callable[[str], Any]
) -> None:
    told = printable(str(path))
    if path.suffix != ".npz":
        raise CourseError(f"B: got {told}, want a name that ends in .npz")
    if path.exists():
        raise CourseError(f"B: {told} is there already; want a new name")
    if isinstance(a, Gaussian):
        raise CourseError("A: got statistics, want pictures")
    check_writable(path)
    net = _net(options, device)
    seen = look(a, net, torch.zeros(a.count).long(), 1, _bar)
    write_statistics(path, seen.gaussian())
    say(f"{seen.n:,} pictures, {net.dims:,} features: {told}")


def _bar(batches: Iterable[Any], images: Images) -> Iterable[Any]:
    """A bar that appears with the first batch: before, a network may draw, under a bar of its own."""
    from tqdm import tqdm

    batches = iter(batches)
    begun = [*islice(batches, 1)]
    total = math.ceil(images.count / BATCH)
    return tqdm(chain(begun, batches), desc=images.told, total=total, unit="batch")
