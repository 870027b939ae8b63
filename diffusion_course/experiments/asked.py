"""What samples are asked for: classes by number or name, texts, or nothing, as each network takes it."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..denoisers import Preconditioned
from ..errors import CourseError, nearest
from ..texted import Texted
from .drawing import has_classes


def asked(
    model: Preconditioned,
    n: int,
    classes: Sequence[str] = (),
    texts: Sequence[str] = (),
    names: Sequence[str] = (),
) -> tuple[Tensor | None, list[str]]:
    """What a denoiser is given for n samples, and what stands above each: labels (n,), hidden states (n, L, E), or None and nothing.

    classes, texts: they take turns; without any, all classes do. names: of the classes, where they have some.
    Raises CourseError for a class that there is not, and for what this network cannot be asked.
    """
    if isinstance(model, Texted):
        if classes:
            raise CourseError('--class: this network reads; say what to draw with --text "..."')
        told = in_turn(list(texts) or [""], n)
        return model.embed(told), told if texts else []
    if texts:
        raise CourseError(
            "--text: this network does not read" + (", it has --class" if has_classes(model) else "")
        )
    if not has_classes(model):
        if classes:
            raise CourseError("--class: this network has no classes")
        return None, []
    return asked_classes(model.net, n, classes, names)


def asked_classes(
    net: nn.Module, n: int, classes: Sequence[str], names: Sequence[str]
) -> tuple[Tensor, list[str]]:
    """Labels (n,) int64 of classes by number or name, in turn; all of the network's where none is named. And their names."""
    count: Any = getattr(net, "num_classes", 0)
    known = [*names[:count], *map(str, range(count))]
    for one in classes:
        if one not in known:
            shown = names or [f"0..{count - 1}"]
            raise CourseError(f"--class: unknown class {one!r}{nearest(one, shown)}")
    numbers = [known.index(one) if one in names else int(one) for one in classes]
    labels = in_turn(numbers or list(range(count)), n)
    return torch.tensor(labels), [names[label] if names else str(label) for label in labels]


def in_turn(items: list[Any], n: int) -> list[Any]:
    """The first n of items, over and over."""
    return [items[i % len(items)] for i in range(n)]
