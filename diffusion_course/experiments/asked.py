"""What samples are asked for: classes by number or name, texts, or nothing, as each network takes it."""

import json
from collections.abc import Sequence
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from ..denoisers import Preconditioned
from ..errors import CourseError, nearest
from ..texted import Texted
from . import zoo
from .config import Config
from .data import describe
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


def class_names(weights: str) -> tuple[str, ...]:
    """The names of the classes that a network learned, as `train` wrote them with its weights; else those of its data.

    None of others' checkpoints, and of pictures that are no longer there or have other classes now. Raises CourseError as
    `zoo.config` does.
    """
    made = zoo.config(weights)
    if made is None:
        return ()
    with safe_open(zoo.weights_at(weights), framework="pt") as file:
        written = file.metadata().get("classes")
    try:
        found = json.loads(written) if written else describe(made.data).classes
    except (ValueError, RecursionError, CourseError):
        return ()
    fits = isinstance(found, list | tuple) and len(found) == getattr(made.net, "num_classes", 0)
    return tuple(map(str, found)) if fits else ()


def never_without(config: Config | None) -> bool:
    """Has this network always been told the class in training? What it answers without one, guidance cannot use."""
    return config is not None and config.label_dropout == 0


def check_guidance(guidance: float, config: Config | None) -> None:
    """Raise CourseError for a guidance scale that the network was not trained for. config: None of others' checkpoints."""
    if guidance != 1 and never_without(config):
        raise CourseError(
            f"--guidance: got {guidance:g}; this network was trained with label_dropout 0, always with its class;"
            " want 1, or train it with label_dropout: 0.1"
        )


def in_turn(items: list[Any], n: int) -> list[Any]:
    """The first n of items, over and over."""
    return [items[i % len(items)] for i in range(n)]
