"""Two sets of pictures compared: `diffusion-course fid A B`. Each number stands beside its floor, what real pictures score."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ...errors import CourseError
from .. import intervals
from ..metrics.error_bars import scatter
from ..metrics.gaussians import Gaussian, frechet_distance, merged
from ..metrics.kernel import kid, kid_with_error
from ..metrics.neighbours import density_coverage, precision_recall
from .networks import FeatureNet
from .seen import Progress, Seen, check_size, look, silent
from .sources import Images

TENTHS = 10
SMALLEST = 20  # pictures, for error bars and neighbours
ENOUGH = 5  # pictures for each dimension, below which a Fréchet distance is mostly its bias


@dataclass(frozen=True)
class Number:
    """value; its 95 % interval, where there is one; floor: the same for real pictures, None where it cannot be known."""

    name: str
    value: float
    interval: tuple[float, float] | None
    floor: float | None

    def __str__(self) -> str:
        span = "" if self.interval is None else " (95 %: {:.4g} to {:.4g})".format(*self.interval)
        return f"{self.name}: {self.value:.6g}{span}; floor: {'unknown' if self.floor is None else f'{self.floor:.4g}'}"


@dataclass(frozen=True)
class Comparison:
    """numbers: the distance first, then, where there are pictures on both sides, KID and what neighbours tell.

    compared: how many pictures of each side these latter are of, or why there are none. floor: what the floor was measured on. warnings: where the
    distance means little.
    """

    numbers: list[Number]
    compared: str | None
    floor: str
    warnings: list[str]


def compare(
    a: Images | Gaussian,
    b: Images | Gaussian,
    net: FeatureNet,
    spare: Images | None = None,
    progress: Progress = silent,
) -> Comparison:
    """How far pictures a, which are judged, are from real ones b.

    Interval: of the chance of a's pictures; that of KID counts the chance of b's too. Floor: the same number for as many of
    b's pictures as a has, at most half of them, against the others; or, with spare, for those real pictures against b.
    Raises CourseError for statistics of another number of features, and as `look` does for either set.
    """
    for name, side in (("A", a), ("B", b)):
        if isinstance(side, Gaussian) and len(side.mean) != net.dims:
            raise CourseError(f"{name}: statistics of {len(side.mean)} features, want {net.dims}; see --dims")
    for images in (a, b, spare):
        if isinstance(images, Images):
            check_size(images, net)
    made = look(a, net, _tenths(a.count), TENTHS, progress) if isinstance(a, Images) else None
    real = look(b, net, _split(b, a, made, spare), 2, progress) if isinstance(b, Images) else None
    moments_a, moments_b = _moments(made, a), _moments(real, b)
    value = frechet_distance(moments_a, moments_b)
    part, rest, told = _for_floor(real, moments_b, spare, net, progress)
    floor = frechet_distance(part.gaussian(), rest) if part and rest else None
    numbers, compared = [Number(net.distance, value, _interval(value, made, moments_b), floor)], None
    if made and real and min(made.n, real.n) >= SMALLEST:
        enough = part is not None and part.n >= SMALLEST // 2
        pairs, compared = _pairs(made.features(), real, part.features() if part and enough else None)
        numbers += pairs
    elif made and real:
        compared = f"no KID, precision, recall, density, coverage: they take at least {SMALLEST} pictures on each side"
    sides = {"A": made, "B": real, "the floor": part if spare else None}
    warnings = _sizes({name: seen for name, seen in sides.items() if seen is not None})
    warnings += _warnings(net.dims, {"A": moments_a.n, "B": moments_b.n})
    return Comparison(numbers, compared, told, warnings)


def _tenths(count: int) -> Tensor:
    """The groups of the jackknife, the same ones for every set of as many pictures, as `leave_out` makes them."""
    return torch.randperm(count, generator=torch.Generator().manual_seed(0)) % TENTHS


def _split(b: Images, a: Images | Gaussian, made: Seen | None, spare: Images | None) -> Tensor:
    """0 for the part of b that stands in for a in the floor, at most half of b, else 1.

    Where the classes of both are known the part has a's: samples come in turn of their classes, and a random part of real
    pictures, whose classes are out of balance by chance, would be several times as far from the rest.
    """
    group = torch.ones(b.count, dtype=torch.long)
    order = torch.randperm(b.count, generator=torch.Generator().manual_seed(2))
    if spare is not None:
        return group
    if isinstance(a, Images) and a.labels is not None and b.labels is not None:
        for label, wanted in zip(*a.labels.unique(return_counts=True), strict=True):
            mine = order[b.labels[order] == label]
            group[mine[: min(int(wanted), len(mine) // 2)]] = 0
    else:
        group[order[: min(made.n if made else b.count, b.count // 2)]] = 0
    return group


def _moments(seen: Seen | None, side: Images | Gaussian) -> Gaussian:
    if seen is not None:
        return seen.gaussian()
    assert isinstance(side, Gaussian)
    return side


def _for_floor(
    real: Seen | None, moments_b: Gaussian, spare: Images | None, net: FeatureNet, progress: Progress
) -> tuple[Seen | None, Gaussian | None, str]:
    """Real pictures in the place of the samples, what they are compared with, and a line that says so."""
    if spare is not None:
        seen = look(spare, net, torch.zeros(spare.count).long(), 1, progress)
        return seen, moments_b, f"floor: {seen.n:,} pictures of {spare.told}, against B"
    if real is None:
        return None, None, "floor: unknown, since B holds no pictures; name other real ones with --floor"
    part, rest = (
        Seen([group], [kept], real.size) for group, kept in zip(real.groups, real.kept, strict=True)
    )
    if min(part.n, rest.n) < 2:
        return None, None, "floor: unknown, since B has too few pictures to be split"
    return part, rest.gaussian(), f"floor: {part.n:,} pictures of B, against its other {rest.n:,}"


def _interval(value: float, made: Seen | None, moments_b: Gaussian) -> tuple[float, float] | None:
    """By the jackknife over a's tenths. None for statistics, and where there are too few pictures."""
    if made is None or made.n < SMALLEST:
        return None
    rest = [[group for other, group in enumerate(made.groups) if other != g] for g in range(TENTHS)]
    left_out = [frechet_distance(merged(groups).gaussian(), moments_b) for groups in rest]
    return intervals.around(value, scatter(torch.tensor(left_out, dtype=torch.float64)), TENTHS)


def _pairs(made: Tensor, real: Seen, part: Tensor | None) -> tuple[list[Number], str]:
    """KID, and what neighbours tell, of the features that were kept; neighbours at equal numbers. And a line that says of how many."""
    rest, both = real.kept[1], torch.cat(real.kept)
    value, error = kid_with_error(made, both, TENTHS)
    half = intervals.reach(error, TENTHS)
    numbers = [Number("KID", value, (value - half, value + half), None if part is None else kid(part, rest))]
    n = min(len(x) for x in (made, rest, part) if x is not None)
    values, floors = (None if x is None else _neighbours(rest[:n], x[:n]) for x in (made, part))
    assert values is not None
    for name, value in values.items():
        numbers.append(Number(name, value, None, None if floors is None else floors[name]))
    compared = (
        f"compared: KID, {len(made):,} pictures of A with {len(both):,} of B; {', '.join(values)}, {n:,} with {n:,}, "
        "at random and without the floor's, since they depend on the number"
    )
    return numbers, compared


def _neighbours(real: Tensor, made: Tensor) -> dict[str, float]:
    names = ("precision", "recall", "density", "coverage")
    return dict(zip(names, (*precision_recall(real, made), *density_coverage(real, made)), strict=True))


def _sizes(sides: dict[str, Seen]) -> list[str]:
    """Where pictures have another size than those of the first side: a network of one size sees what scaling does to them."""
    size_of = {
        name: "several sizes" if seen.size is None else "{} x {} pixels".format(*seen.size)
        for name, seen in sides.items()
    }
    names = [*size_of]
    return [
        f"warning: {names[0]} has pictures of {size_of[names[0]]}, {name} of {size_of[name]}: the distance measures this too, "
        "for the network scales all to its own size; bring them to one size first"
        for name in names[1:]
        if size_of[name] != size_of[names[0]]
    ]


def _warnings(dims: int, counts: dict[str, int | None]) -> list[str]:
    return [
        f"warning: {name} has {n:,} pictures, and a Fréchet distance in {dims:,} dimensions of fewer than "
        f"{ENOUGH * dims:,} is mostly bias: it means nothing but against the floor"
        for name, n in counts.items()
        if n is not None and n < ENOUGH * dims
    ]
