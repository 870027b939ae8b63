"""What is kept of pictures that stream through a network: moments by groups, and the features of a few thousand."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...errors import CourseError
from ..metrics.checks import check_finite
from ..metrics.gaussians import Gaussian, Moments, merged
from .networks import FeatureNet
from .sources import Images

KEPT = 5000  # features of one set, for what is computed of pairs
Progress = Callable[[Iterable[Any], Images], Iterable[Any]]


@dataclass(frozen=True)
class Seen:
    """groups: the moments of each group. kept: of each group the features (K, d) of some, at random, in random order.

    size: (H, W) of all pictures, None where they have several.
    """

    groups: list[Moments]
    kept: list[Tensor]
    size: tuple[int, int] | None = None

    @property
    def n(self) -> int:
        return sum(group.n for group in self.groups)

    def gaussian(self) -> Gaussian:
        return merged(self.groups).gaussian()

    def features(self) -> Tensor:
        """All that was kept, in random order."""
        return mixed(torch.cat(self.kept))


def silent(batches: Iterable[Any], images: Images) -> Iterable[Any]:
    """A progress bar that is none."""
    return batches


def look(images: Images, net: FeatureNet, group: Tensor, groups: int, progress: Progress = silent) -> Seen:
    """Let pictures stream through a network. group (count,): which of the groups 0..groups-1 each belongs to.

    Raises CourseError for fewer than 2 pictures, for pictures that are all the same, and for features that are not finite.
    """
    check_size(images, net)
    moments = [Moments(net.dims) for _ in range(groups)]
    kept: list[list[Tensor]] = [[torch.zeros(0, net.dims)] for _ in range(groups)]
    keep = _some(group, KEPT // groups)
    n, first, differ, sizes = 0, None, False, set()
    for pixels in progress(images.batches(), images):
        first = pixels[0] if first is None else first
        differ = differ or pixels[0].shape != first.shape or bool((pixels != first).any())
        features = net.of(pixels).float().cpu()
        check_finite(f"{images.told}: features", features)
        rows = slice(n, n + len(pixels))
        for g in range(groups):
            moments[g].add(features[group[rows] == g])
            kept[g].append(features[(group[rows] == g) & keep[rows]])
        n += len(pixels)
        sizes.add((pixels.shape[2], pixels.shape[3]))
    if n < 2:
        raise CourseError(
            f"{images.told}: got {n} picture{'' if n == 1 else 's'}, want at least 2, better thousands"
        )
    if not differ:
        raise CourseError(f"{images.told}: all {n} pictures are the same; a distance needs some that differ")
    return Seen(
        moments, [mixed(torch.cat(features)) for features in kept], sizes.pop() if len(sizes) == 1 else None
    )


def check_size(images: Images, net: FeatureNet) -> None:
    """Raise CourseError for pictures whose size is known, and none that the network looks at: samples would be drawn for nothing."""
    if images.shape is not None:
        net.check(images.shape[0], images.shape[0])


def mixed(rows: Tensor) -> Tensor:
    """The rows in a random order, the same each time."""
    return rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(1))]


def _some(group: Tensor, most: int) -> Tensor:
    """Which to keep: at most so many of each group, at random."""
    keep = torch.zeros(len(group), dtype=torch.bool)
    for g in group.unique():
        keep[mixed((group == g).nonzero()[:, 0])[:most]] = True
    return keep
