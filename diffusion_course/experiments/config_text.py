"""How a config is written, in YAML files and on cards, and read: text to parts, and back."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import yaml

from ..errors import CourseError, check_known, shown
from ..schedules import BETAS
from . import net_parts, parts
from .recipe import Recipe

# `model: NAME` begins a config: the parts it does not name itself are these.
MODELS: dict[str, dict[str, dict[str, Any]]] = {
    "classifier": {"net": {"kind": "classifier"}, "loss": {"kind": "cross-entropy", "shift": 2}},
    "noisy-classifier": {
        "net": {"kind": "noisy-classifier"},
        "noise": {"kind": "log-normal", "mean": 0.0, "std": 1.5},
        "loss": {"kind": "cross-entropy"},
    },
    "autoencoder": {"net": {"kind": "autoencoder"}, "loss": {"kind": "reconstruction"}},
    "masked": {"net": {"kind": "token-transformer"}, "loss": {"kind": "masked"}},
    "flow": {
        "net": {"kind": "unet"},
        "parametrisation": {"kind": "flow"},
        "noise": {"kind": "logit-normal"},
        "loss": {"kind": "flow"},
    },
    "edm": {
        "net": {"kind": "unet"},
        "parametrisation": {"kind": "edm"},
        "noise": {"kind": "log-normal"},
        "loss": {"kind": "edm"},
    },
    "text": {
        "net": {"kind": "text-unet"},
        "parametrisation": {"kind": "edm"},
        "noise": {"kind": "log-normal"},
        "loss": {"kind": "edm"},
    },
    "clip": {
        "net": {"kind": "clip"},
        "noise": {"kind": "log-normal", "mean": 0.0, "std": 1.5},
        "loss": {"kind": "contrastive"},
    },
    **{
        f"eps-{schedule}": {
            "net": {"kind": "unet"},
            "schedule": {"kind": schedule},
            "parametrisation": {"kind": "eps"},
            "noise": {"kind": "schedule"},
            "loss": {"kind": "simple"},
        }
        for schedule in ("linear", "cosine")
    },
}
# The short form `edm: {p_mean: ...}` of the model "edm": its keys, and where they belong.
EDM = {
    "sigma_data": ("parametrisation", "sigma_data"),
    "p_mean": ("noise", "mean"),
    "p_std": ("noise", "std"),
}


KINDS: dict[str, dict[str, type[parts.Part]]] = {
    part: {one.kind: one for one in union.__args__}
    for part, union in {
        "net": net_parts.Net,
        "parametrisation": parts.Parametrisation,
        "noise": parts.Noise,
        "loss": parts.Loss,
    }.items()
}
"""part of a config -> kind -> its class."""
MOST_ALIASES = 20
PARTS = ("data", "latents", "net", "schedule", "parametrisation", "noise", "loss", "label_dropout", "recipe")


def load(path: Path) -> object:
    """What a YAML file holds. Raises CourseError, without the path, for a file that cannot be read or is no YAML."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except UnicodeDecodeError:
        raise CourseError("not UTF-8 text") from None
    except OSError as error:
        raise CourseError(f"{error.strerror}") from None
    except CourseError:
        raise
    except Exception as error:  # PyYAML raises many kinds, for a date like 2026-02-31 for instance ValueError
        raise CourseError(f"not YAML ({(str(error).splitlines() or ['unreadable'])[0]})") from None


class _Loader(yaml.SafeLoader):
    """YAML in which no key stands twice, the first would be lost in silence; and in which 1e-3 is a number, as in YAML 1.2."""

    aliases = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            self.aliases += 1
            if self.aliases > MOST_ALIASES:
                raise CourseError(
                    f"more than {MOST_ALIASES} aliases (*name); a few kilobytes of them unfold to gigabytes"
                )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for name, _ in node.value:
            if isinstance(name, yaml.ScalarNode):
                if name.value in seen:
                    line = name.start_mark.line + 1
                    raise CourseError(f"key {shown(name.value)} stands twice (line {line})")
                seen.add(name.value)
        return super().construct_mapping(node, deep)


def _with_exponent(loader: yaml.Loader, node: Any) -> float | int:
    """1e-3; a whole number as such, so that 1e5 counts steps."""
    value = float(loader.construct_scalar(node))
    return int(value) if abs(value) < 1e15 and value.is_integer() else value


_Loader.add_implicit_resolver(
    "!exponent", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)
_Loader.add_constructor("!exponent", _with_exponent)


def read(mapping: object) -> dict[str, Any]:
    """The arguments of `config.Config` that a mapping stands for, see `Config.of`."""
    given = _checked_keys(mapping)
    held = _with_model(given)
    made: dict[str, Any] = {name: _part(name, held[name]) for name in PARTS if name in KINDS and name in held}
    users = (made.get("parametrisation"), made.get("noise"))
    if "schedule" in given:
        _check_used(
            made["net"], users
        )  # before it is read: of one that nothing uses, what it lacks does not matter
    if "schedule" in given or (
        "schedule" in held and any(isinstance(one, parts.NEED_SCHEDULE) for one in users)
    ):
        made["schedule"] = _schedule(
            held["schedule"]
        )  # else it is the model's, whose other parts were replaced
    if not isinstance(held["data"], str) or not held["data"]:
        quoted = " in quotes" if isinstance(held["data"], int | float) else ""
        raise CourseError(
            f"unknown data set {shown(held['data'])}: want a name, or the path of pictures{quoted}"
        )
    if "latents" in held:
        made["latents"] = _latents(held["latents"])
    rest = {"label_dropout": held["label_dropout"]} if "label_dropout" in held else {}
    return {"data": held["data"], "recipe": _recipe(held["recipe"]), **made, **rest}


def written(value: Any) -> Any:
    """A part of a config as JSON and YAML can hold it: its kind, and every key with its value."""
    match value:
        case parts.Schedule():
            return {"kind": value.kind, "T": value.T, **value.knobs}
        case parts.Part():
            held = {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(value).items()}
            return {"kind": value.kind, **held}
        case parts.Latents():
            return {key: v for key, v in asdict(value).items() if v is not None}
        case Recipe():
            return asdict(value)
    return value


def _checked_keys(mapping: object) -> Mapping[str, Any]:
    want = f"want the keys data, recipe, and model (or net and loss), and optionally {', '.join(PARTS[1:-1])}"
    if not isinstance(mapping, dict):
        raise CourseError(f"got {shown(mapping)}; {want}")
    for name in mapping:
        check_known("key", name, ("model", "edm", *PARTS))
    least = ("data", "recipe") if "model" in mapping else ("net", "loss", "data", "recipe")
    missing = [name for name in least if name not in mapping]
    if missing:
        raise CourseError(f"lacks {', '.join(missing)}; {want}")
    return mapping


def _with_model(given: Mapping[str, Any]) -> dict[str, Any]:
    """The config with what its `model` and `edm` stand for written out."""
    held = {name: value for name, value in given.items() if name not in ("model", "edm")}
    if "model" in given:
        check_known("model", given["model"], MODELS)
    base = {part: dict(value) for part, value in MODELS.get(given.get("model", ""), {}).items()}
    if "edm" in given:
        if given.get("model") != "edm":
            got = shown(given.get("model"))
            raise CourseError(f"edm: the model is {got}; only the model 'edm' has these knobs")
        for name, value in _mapping("edm", given["edm"]).items():
            _check_key("edm", name, EDM)
            part, key = EDM[name]
            kind = KINDS[part][base[part]["kind"]]
            kind.__dataclass_fields__[key].metadata["check"](f"edm: {name}", value)
            base[part][key] = value
    for name, preset in base.items():
        value = held.get(name, {})
        value = {"kind": value} if isinstance(value, str) else value
        if isinstance(value, dict) and value.get("kind", preset["kind"]) == preset["kind"]:
            held[name] = {**preset, **value}
    return held


def _part(name: str, value: object) -> parts.Part:
    """A part of a config from its kind, or from a mapping."""
    known = KINDS[name]
    held = _with_kind(name, value, known, [one.name for kind in known.values() for one in fields(kind)])
    try:
        check_known("kind", held["kind"], known)
        made = known[held["kind"]]
        for key in held:
            check_known("key", key, ["kind", *(one.name for one in fields(made))])
        return made(
            **{key: tuple(v) if isinstance(v, list) else v for key, v in held.items() if key != "kind"}
        )
    except CourseError as error:
        raise CourseError(f"{name}: {error}") from None


def _schedule(value: object) -> parts.Schedule:
    held = _with_kind("schedule", value, BETAS, ["T"])
    try:
        return parts.Schedule(held.pop("kind"), held.pop("T", 1000), held)
    except CourseError as error:
        raise CourseError(f"schedule: {error}") from None


def _check_used(net: parts.Part, users: Iterable[parts.Part | None]) -> None:
    """Raise CourseError for a schedule that nothing uses. users: parametrisation and noise; what lacks is told later."""
    if not isinstance(net, net_parts.Denoising):
        raise CourseError(f"schedule: {net_parts.told(net)} takes none; leave it out")
    if None not in users and not any(isinstance(one, parts.NEED_SCHEDULE) for one in users):
        kinds = ", ".join(repr(one.kind) for one in users if one)
        raise CourseError(f"schedule: neither parametrisation nor noise uses it; leave it out ({kinds})")


def _latents(value: object) -> parts.Latents:
    held = _mapping("latents", {"autoencoder": value} if isinstance(value, str) else value)
    for name in held:
        _check_key("latents", name, [one.name for one in fields(parts.Latents)])
    if "autoencoder" not in held:
        raise CourseError("latents: lacks the key 'autoencoder'")
    try:
        return parts.Latents(**held)
    except CourseError as error:
        raise CourseError(f"latents: {error}") from None


def _with_kind(name: str, value: object, kinds: Iterable[str], keys: Iterable[str]) -> dict[str, Any]:
    """A part as a mapping that has a kind; keys: those that may stand beside it, for the message."""
    held = dict(_mapping(name, {"kind": value} if isinstance(value, str) else value))
    if "kind" not in held:
        for key in held:
            _check_key(name, key, ["kind", *keys])
        raise CourseError(f"{name}: lacks the key 'kind'; known: {', '.join(kinds)}")
    return held


def _recipe(value: object) -> Recipe:
    recipe = _mapping("recipe", value)
    for name in recipe:
        _check_key("recipe", name, [field.name for field in fields(Recipe)])
    if "steps" not in recipe:
        raise CourseError("recipe: lacks the key 'steps'")
    return Recipe(**recipe)


def _check_key(part: str, name: object, known: Iterable[str]) -> None:
    try:
        check_known("key", name, known)
    except CourseError as error:
        raise CourseError(f"{part}: {error}") from None


def _mapping(name: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise CourseError(f"{name}: got {shown(value)}, want lines like 'key: value'")
    return value
