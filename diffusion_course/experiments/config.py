"""Configs: what a run trains on what, as a YAML file. Here alone they are read and checked, whole, before any work."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml
from torch import nn

from ..errors import CourseError, check_integer, check_known, check_number, shown
from ..files import user_path
from ..nets.classifier import Classifier, NoisyClassifier
from ..nets.unet import UNet
from .data import SOURCES, Source
from .recipe import Recipe

CONFIGS = Path(__file__).parent.parent / "configs"
NEEDED, OPTIONAL = ("model", "data", "recipe"), ("net", "label_dropout", "edm")
NETWORKS: dict[str, type[nn.Module]] = {
    "classifier": Classifier,
    "noisy-classifier": NoisyClassifier,
    "flow": UNet,
    "edm": UNet,
    "eps-linear": UNet,
    "eps-cosine": UNet,
}
EDM = {"sigma_data": 0.5, "p_mean": -1.2, "p_std": 1.2}  # Karras et al. 2022, table 1

Rule = Callable[[str, object], None]


def _integer(low: int, high: int = 4096) -> Rule:
    return lambda name, value: check_integer(name, value, low, high)


def _positive(name: str, value: object) -> None:
    check_number(name, value, lambda v: 0 < v < float("inf"), "> 0")


def _integers(name: str, value: object) -> None:
    if not isinstance(value, list):
        raise CourseError(f"{name}: got {shown(value)}, want a list of integers")
    for one in value:
        check_integer(name, one, 1, 4096)


# What a config may say of a network: key -> what its value must be.
NET: dict[str, Rule] = {
    "image_size": _integer(1),
    "channels": _integer(1),
    "patch_size": _integer(1),
    "blocks": _integer(1, 64),
    "width": _integer(2),
    "widths": _integers,
    "attention": _integers,
    "num_classes": _integer(0),
    "noise_scale": _positive,
    "dropout": lambda name, value: check_number(name, value, lambda v: 0 <= v < 1, "in 0..1, below 1"),
}
KNOBS: dict[str, Rule] = {"sigma_data": _positive, "p_mean": check_number, "p_std": _positive}


def read_config(source: str, steps: int | None = None) -> dict[str, Any]:
    """A config by name (one of those that ship) or by path of a YAML file, checked whole. steps: instead of the recipe's.

    Raises CourseError for one that cannot be read or used.
    """
    names = [path.stem for path in CONFIGS.glob("*.yaml")]
    if not source.endswith((".yaml", ".yml")):
        check_known("config", source, names)
        path = CONFIGS / f"{source}.yaml"
    else:
        path = user_path(source)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise CourseError(f"config {path}: not UTF-8 text") from None
    except OSError as error:
        raise CourseError(f"config {path}: {error.strerror}") from None
    try:
        config = yaml.safe_load(text)
    except Exception as error:  # PyYAML raises many kinds, for a date like 2026-02-31 for instance ValueError
        raise CourseError(
            f"config {path}: not YAML ({(str(error).splitlines() or ['unreadable'])[0]})"
        ) from None
    try:
        _check_keys(config, NEEDED, OPTIONAL)
        if steps is not None and isinstance(config["recipe"], dict):
            config["recipe"]["steps"] = steps
        check_model(config)
        recipe_of(config)
    except CourseError as error:
        raise CourseError(f"config {path}: {error}") from None
    return config


def recipe_of(config: Mapping[str, Any]) -> Recipe:
    """The config's recipe. Raises CourseError for one that cannot be used."""
    recipe = _mapping("recipe", config["recipe"])
    names = [field.name for field in fields(Recipe)]
    for name in recipe:
        _check_key("recipe", name, names)
    if "steps" not in recipe:
        raise CourseError("recipe: lacks the key 'steps'")
    return Recipe(**recipe)


def check_model(config: object) -> None:
    """Check what `models.build` reads: model, net, label_dropout, edm; against the data set, where one is named.

    Raises CourseError for an unknown name, a value of another kind or out of range, and a network that does not fit the data.
    """
    config = _mapping("config", config)
    check_known("model", config.get("model"), NETWORKS)
    network = NETWORKS[config["model"]]
    net = net_of(config)
    for name, value in net.items():
        _check_key("net", name, NET.keys() & inspect.signature(network).parameters.keys())
        NET[name](f"net: {name}", value)
    if "label_dropout" in config:
        if network is not UNet:
            raise CourseError(f"label_dropout: a {config['model']} takes none; leave it out")
        check_number("label_dropout", config["label_dropout"], lambda v: 0 <= v <= 1, "in 0..1")
    if "edm" in config and config["model"] != "edm":
        raise CourseError(f"edm: the model is {config['model']!r}; only the model 'edm' has these knobs")
    for name, value in _mapping("edm", config.get("edm", {})).items():
        _check_key("edm", name, KNOBS)
        KNOBS[name](f"edm: {name}", value)
    if "data" in config:
        check_known("data set", config["data"], SOURCES)
        _check_fit(network, net, config["data"], SOURCES[config["data"]])


def net_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of the network."""
    return _mapping("net", config.get("net", {}))


def _check_fit(network: type[nn.Module], net: Mapping[str, Any], name: str, data: Source) -> None:
    """A class too few would silently make the last one "no label", and one too many is never trained."""
    signature = inspect.signature(network).parameters
    classes = {0, len(data.classes)} if network is UNet else {len(data.classes)}
    wanted = {"image_size": {data.size}, "channels": {data.channels}, "num_classes": classes}
    for key, values in wanted.items():
        if key not in signature:
            continue
        got = net.get(key, signature[key].default)
        if got not in values:
            default = "" if key in net else " (the default)"
            want = " or ".join(map(str, sorted(values, reverse=True)))
            none = " (0: without classes)" if 0 in values else ""
            raise CourseError(f"net: {key}: got {got}{default}, want {want}{none} for {name}")


def _check_keys(config: object, needed: tuple[str, ...], optional: tuple[str, ...]) -> None:
    want = f"want the keys {', '.join(needed)}, and optionally {', '.join(optional)}"
    if not isinstance(config, dict):
        raise CourseError(f"got {shown(config)}; {want}")
    for name in config:
        check_known("key", name, (*needed, *optional))
    missing = [name for name in needed if name not in config]
    if missing:
        raise CourseError(f"lacks {', '.join(missing)}; {want}")


def _check_key(part: str, name: object, known: Any) -> None:
    try:
        check_known("key", name, known)
    except CourseError as error:
        raise CourseError(f"{part}: {error}") from None


def _mapping(name: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise CourseError(f"{name}: got {shown(value)}, want lines like 'key: value'")
    return value
